// Go's own net/http: one call both ways at once, and one that is cancelled; what came of them as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
)

type task struct{ URL, Path, Waiting, Authorization string }

type seen struct {
	Proto     string              `json:"proto"`
	Status    int                 `json:"status"`
	Messages  []string            `json:"messages"`
	Trailers  map[string][]string `json:"trailers"`
	Cancelled bool                `json:"cancelled"`
}

func frame(message []byte) []byte {
	head := make([]byte, 5)
	binary.BigEndian.PutUint32(head[1:], uint32(len(message)))
	return append(head, message...)
}

func read(body io.Reader) (string, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(body, head); err != nil {
		return "", err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(body, message)
	return string(message), err
}

func begin(ctx context.Context, client *http.Client, given task, path string, body io.Reader) *http.Response {
	request, err := http.NewRequestWithContext(ctx, "POST", given.URL+path, body)
	must(err)
	request.Header.Set("Authorization", given.Authorization)
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	response, err := client.Do(request)
	must(err)
	return response
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var given task
	must(json.Unmarshal([]byte(os.Args[1]), &given))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}

	reader, writer := io.Pipe()
	send := func(number int) {
		_, err := writer.Write(frame([]byte(strconv.Itoa(number))))
		must(err)
	}
	go send(0) // the API says nothing before
	response := begin(context.Background(), client, given, given.Path, reader)
	told := seen{Proto: response.Proto, Status: response.StatusCode}
	for number := range 10 {
		message, err := read(response.Body)
		must(err)
		told.Messages = append(told.Messages, message)
		if number < 9 {
			send(number + 1)
		}
	}
	must(writer.Close())
	_, err := io.Copy(io.Discard, response.Body)
	must(err)
	told.Trailers = response.Trailer

	ctx, cancel := context.WithCancel(context.Background())
	response = begin(ctx, client, given, given.Waiting, bytes.NewReader(frame(nil)))
	_, err = read(response.Body)
	must(err)
	cancel()
	_, err = read(response.Body)
	told.Cancelled = err != nil
	must(json.NewEncoder(os.Stdout).Encode(told))
}

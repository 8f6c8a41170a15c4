// Answers each request with what Go saw of it: go run echo.go PORT
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

// latin1 keeps every byte as one character, which JSON can carry.
func latin1(data string) string {
	var text strings.Builder
	for at := 0; at < len(data); at++ {
		text.WriteRune(rune(data[at]))
	}
	return text.String()
}

func echo(response http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	fields := [][2]string{{"host", request.Host}}
	for name, values := range request.Header {
		for _, value := range values {
			fields = append(fields, [2]string{strings.ToLower(name), latin1(value)})
		}
	}
	seen, _ := json.Marshal(map[string]any{
		"method": request.Method, "target": request.RequestURI, "fields": fields, "body": latin1(string(body)),
	})
	response.Write(seen)
}

func main() {
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(echo)))
}

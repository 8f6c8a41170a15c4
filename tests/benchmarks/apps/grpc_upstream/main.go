// A gRPC API that answers every unary call with the same message, by Go's own net/http; its argument is the address.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

var message = []byte("\x00\x00\x00\x00\x20{\"id\":1042,\"state\":\"shipped\",\"n\":2}"[:37])

func call(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/seen" {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	_, _ = w.Write(message)
	w.Header().Set("Grpc-Status", "0")
	w.Header().Set("Grpc-Message", "")
}

func main() {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: os.Args[1], Handler: http.HandlerFunc(call), Protocols: protocols}
	log.Fatal(server.ListenAndServe())
}

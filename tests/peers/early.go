// A Go application that responds before it has read the body, and names the request that it responds to.
package main

import (
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil {
			status = 200
		}
		controller := http.NewResponseController(w)
		controller.EnableFullDuplex()
		w.Header().Set("X-For", r.URL.RequestURI())
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(status)
		w.Write([]byte("o"))
		controller.Flush()
		time.Sleep(20 * time.Millisecond)
		w.Write([]byte("k"))
	}))
}

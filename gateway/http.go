package gateway

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

const requestIDHeader = "X-Request-Id"

// ServeHTTP implements [http.Handler].
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID(r)
	w.Header()[requestIDHeader] = []string{id}
	body, err := g.readBody(w, r)
	if err != nil {
		write(w, problem(err).Response(id))
		return
	}
	c := call{method: r.Method, path: r.URL.EscapedPath(), header: g.headers(r, id), body: body}
	c.target = c.method + " " + c.path
	if r.URL.RawQuery != "" {
		c.target += "?" + r.URL.RawQuery
	}
	reply, err := g.do(r.Context(), &c)
	if err != nil {
		write(w, problem(err).Response(id))
		return
	}
	write(w, &webhook.Response{Status: reply.Status, Header: reply.Header, Body: reply.Payload})
}

// requestID is the caller's, if it is fit to be logged, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > 128 {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f {
			return rand.Text()
		}
	}
	return id
}

func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > g.maxBody {
		w.Header().Set("Connection", "close") // the rest of it is not read
		return nil, g.tooLarge()
	}
	if r.ContentLength == 0 {
		return []byte{}, nil
	}
	if r.ContentLength > 0 {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, webhook.NewProblem(http.StatusBadRequest, "the body ends too early").WithCause(err)
		}
		return body, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, g.tooLarge()
	case err != nil:
		return nil, webhook.NewProblem(http.StatusBadRequest, "the body cannot be read").WithCause(err)
	}
	return body, nil
}

func (g *Gateway) tooLarge() error {
	return webhook.NewProblem(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", g.maxBody)
}

// headers are those that travel. Several values of one become a list (RFC 9110,
// section 5.3).
func (g *Gateway) headers(r *http.Request, id string) leanmq.Header {
	h := leanmq.Header{}
	for name, values := range r.Header {
		if as, ok := g.forward[name]; ok && len(values) > 0 {
			h[as] = values[0]
			if len(values) > 1 {
				h[as] = strings.Join(values, ", ")
			}
		}
	}
	h["x-request-id"] = id
	return h
}

// hopByHop are headers that concern one connection (RFC 9110, section 7.6.1), or
// that the server here decides.
var hopByHop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-authenticate": true, "proxy-connection": true,
	"te": true, "trailer": true, "transfer-encoding": true, "upgrade": true, "content-length": true,
	"x-request-id": true,
}

// write sends a response. One without a content type is JSON.
func write(w http.ResponseWriter, r *webhook.Response) {
	h := w.Header()
	for name, value := range r.Header {
		if !hopByHop[strings.ToLower(name)] {
			h.Set(name, value)
		}
	}
	status := r.Status
	if status < 200 || status > 999 {
		status = http.StatusBadGateway
	}
	body := r.Body
	if status == http.StatusNoContent || status == http.StatusNotModified {
		body = nil // whatever the handler made of it
	}
	if len(body) > 0 {
		if h["Content-Type"] == nil {
			h["Content-Type"] = []string{"application/json"}
		}
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}

package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/webhook"
)

// listen serves a gateway over HTTP.
func listen(t *testing.T, gw *gateway.Gateway) (base string) {
	t.Helper()
	srv := httptest.NewServer(gw)
	t.Cleanup(srv.Close)
	return srv.URL
}

// client follows no redirects, and asks for nothing by itself.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		Timeout:       testkit.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type response struct {
	*http.Response
	body string
}

// call makes an HTTP request. Header is a list of names and values.
func call(t *testing.T, c *http.Client, method, url, body string, header ...string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp, string(b)}
}

// problem is the problem in a response, as any client would read it.
func (r response) problem(t *testing.T) (p struct {
	Title, Detail string
	Status        int
	RequestID     string `json:"request_id"`
	Fields        []webhook.FieldProblem
},
) {
	t.Helper()
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("%s %s: content type %q", r.Request.Method, r.Request.URL, ct)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Errorf("%s %s: %q is no problem: %v", r.Request.Method, r.Request.URL, r.body, err)
	}
	return p
}

func TestHTTP(t *testing.T) {
	const asJSON = "application/json"
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		base, c := listen(t, newGateway(t, open(t, url))), client(t)
		for _, tt := range []struct {
			method, path, body string
			header             []string
			status             int
			contentType, want  string // of an answer that is no problem
		}{
			{"POST", "/orders/create", `{"user":"ada","quantity":2}`, nil, 201, asJSON, `{"id":"42","order":{"user":"ada","quantity":2}}`},
			{"POST", "/orders/create/", `{"user":"ada","quantity":2}`, []string{"Content-Type", asJSON}, 201, asJSON, `{"id":"42","order":{"user":"ada","quantity":2}}`},
			{"POST", "/orders/create", `{"user":"ada","quantity":2}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 201, asJSON, `{"id":"42","order":{"user":"ada","quantity":2}}`},
			{"GET", "/orders/42?item=a&item=b%2Fc", "", nil, 200, asJSON, `{"id":"42","order":{"user":"a+b/c","quantity":1}}`},
			{"HEAD", "/orders/42", "", nil, 200, asJSON, ""},
			{"DELETE", "/orders/42", "", nil, 204, "", ""},
			{"GET", "/bytes", "", nil, 200, "application/octet-stream", "\x00\xff\n"},
			{"PUT", "/answer", "", nil, 202, "text/plain; charset=utf-8", "the answer"},
			{"GET", "/status/204", "", nil, 204, "", ""},
			{"GET", "/status/304", "", nil, 304, "", ""},
			{"GET", "/status/7", "", nil, 502, "", ""}, // no status at all

			{"POST", "/orders/create", `{"user":"","quantity":10}`, nil, 422, "", ""},
			{"POST", "/orders/create", `{`, nil, 400, "", ""},
			{"POST", "/orders/create", `<order/>`, []string{"Content-Type", "application/xml"}, 415, "", ""},
			{"GET", "/orders/7", "", nil, 404, "", ""},
			{"GET", "/nowhere", "", nil, 404, "", ""},
			{"GET", "/", "", nil, 404, "", ""},
			{"GET", "//orders/42", "", nil, 404, "", ""},
			{"GET", "/orders/../orders/42", "", nil, 404, "", ""},
			{"GET", "/orders/%2e%2e/secret", "", nil, 404, "", ""},
			{"POST", "/orders/42", "", nil, 405, "", ""},
			{"LINK", "/orders/42", "", nil, 405, "", ""},
			{"GET", "/busy", "", nil, 503, "", ""},
			{"GET", "/error", "", nil, 500, "", ""},
			{"GET", "/panic", "", nil, 500, "", ""},
		} {
			what := tt.method + " " + tt.path
			r := call(t, c, tt.method, base+tt.path, tt.body, tt.header...)
			if r.StatusCode != tt.status {
				t.Errorf("%s: status %d %s, want %d", what, r.StatusCode, r.body, tt.status)
				continue
			}
			if id := r.Header.Get("X-Request-Id"); len(id) < 16 {
				t.Errorf("%s: request id %q", what, id)
			}
			if strings.Contains(fmt.Sprint(r.Header, r.body), "hunter2") {
				t.Errorf("%s: tells the inside: %v %s", what, r.Header, r.body)
			}
			if tt.status < 400 {
				if got := r.Header.Get("Content-Type"); got != tt.contentType || r.body != tt.want {
					t.Errorf("%s: %s %q, want %s %q", what, got, r.body, tt.contentType, tt.want)
				}
				continue
			}
			if tt.path == "/status/7" {
				continue
			}
			if p := r.problem(t); p.Status != tt.status || p.Title != http.StatusText(tt.status) || p.Detail == "" || p.RequestID != r.Header.Get("X-Request-Id") {
				t.Errorf("%s: %s, request id %s", what, r.body, r.Header.Get("X-Request-Id"))
			}
		}

		if allow := call(t, c, "POST", base+"/orders/42", "").Header.Get("Allow"); allow != "DELETE, GET, HEAD" {
			t.Errorf("Allow: %q", allow)
		}
		if after := call(t, c, "GET", base+"/busy", "").Header.Get("Retry-After"); after != "90" {
			t.Errorf("Retry-After: %q", after)
		}
		fields := call(t, c, "POST", base+"/orders/create", `{"user":"","quantity":10}`).problem(t).Fields
		if len(fields) != 2 || fields[0] != (webhook.FieldProblem{Field: "user", Reason: "is a required field"}) || fields[1].Field != "quantity" {
			t.Errorf("fields: %+v", fields)
		}
	})
}

func TestHTTPTooSlow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		const soon = time.Second // enough to be sent
		base, c := listen(t, newGateway(t, open(t, url), gateway.Timeout(soon))), client(t)
		begin := time.Now()
		r := call(t, c, "GET", base+"/slow", "")
		if p := r.problem(t); r.StatusCode != 504 || p.Status != 504 || p.RequestID == "" {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		if took := time.Since(begin); took > soon+2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// The handler's context ends when the caller's time is over: it learns the
// deadline with the request.
func TestHTTPDeadlineTravels(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		left := make(chan time.Duration, 1)
		s := webhook.NewService("clock", open(t, url))
		s.Handle("/clock", func(ctx context.Context, _ *webhook.Request) (*webhook.Response, error) {
			end, _ := ctx.Deadline()
			left <- time.Until(end)
			return nil, nil
		})
		run(t, s)
		base, c := listen(t, newGateway(t, open(t, url), gateway.Timeout(30*time.Minute))), client(t)
		call(t, c, "GET", base+"/clock", "")
		if d := receive(t, left); d < 29*time.Minute || d > 31*time.Minute {
			t.Errorf("the handler has %v, want 30 minutes", d)
		}
	})
}

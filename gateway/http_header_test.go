package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
)

func TestHTTPRequestID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		base, c := listen(t, newGateway(t, open(t, url))), client(t)
		seen := map[string]bool{}
		for name, tt := range map[string]struct {
			id   string
			keep bool
		}{
			"of the caller":      {"c0ffee-42/a:b", true},
			"as long as can be":  {strings.Repeat("x", 128), true},
			"none":               {"", false},
			"too long":           {strings.Repeat("x", 129), false},
			"with a space":       {"a b", false},
			"with a tab":         {"a\tb", false},
			"not ASCII":          {"caf\xe9", false},
			"for a log injector": {"x\x80\x9b2J", false},
		} {
			for _, path := range []string{"/seen", "/nowhere", "/orders/7"} {
				r := call(t, c, "GET", base+path, "", "X-Request-Id", tt.id)
				ids := r.Header.Values("X-Request-Id")
				if len(ids) != 1 {
					t.Errorf("%s: %s: %q", name, path, ids)
					continue
				}
				id := ids[0]
				if tt.keep != (id == tt.id) || id == "" {
					t.Errorf("%s: %s: %q came back as %q", name, path, tt.id, id)
				}
				if !tt.keep && seen[id] {
					t.Errorf("%s: %s: %q was there before", name, path, id)
				}
				seen[id] = true
				if path == "/seen" && !strings.Contains(r.body, `"x-request-id=`+id+`"`) {
					t.Errorf("%s: the handler got another one than %q: %s", name, id, r.body)
				}
				if path != "/seen" && r.problem(t).RequestID != id {
					t.Errorf("%s: the problem has another one than %q: %s", name, id, r.body)
				}
			}
		}
	})
}

func TestHTTPHeadersThatTravel(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		mq, c := open(t, url), client(t)
		plain := listen(t, newGateway(t, mq))
		named := listen(t, newGateway(t, mq, gateway.ForwardHeaders("authorization", "X-TENANT")))
		header := []string{
			"Accept", "text/html", "Accept", "application/json", "Accept-Language", "de", "Content-Type", "text/plain",
			"Traceparent", "00-1-2-01", "Tracestate", "a=b", "X-Request-Id", "r",
			"Authorization", "Bearer hunter2", "Cookie", "session=hunter2", "Proxy-Authorization", "Basic hunter2",
			"X-Tenant", "acme", "X-Forwarded-For", "10.0.0.1", "User-Agent", "test", "Te", "trailers",
		}
		allowed := `"accept=text/html, application/json","accept-language=de",%s"content-type=text/plain","traceparent=00-1-2-01","tracestate=a=b","x-request-id=r"%s]`
		for base, want := range map[string]string{
			plain: fmt.Sprintf(allowed, "", ""),
			named: fmt.Sprintf(allowed, `"authorization=Bearer hunter2",`, `,"x-tenant=acme"`),
		} {
			r := call(t, c, "PATCH", base+"/seen/a%2Fb?q=1&r=%20", "text", header...)
			if want := `["PATCH","/seen/a%2Fb","q=1\u0026r=%20","text",` + want; r.body != want {
				t.Errorf("the handler saw\n%s, want\n%s", r.body, want)
			}
		}
	})
}

func TestHTTPResponseHeaders(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		base, c := listen(t, newGateway(t, open(t, url))), client(t)
		r := call(t, c, "GET", base+"/answer", "", "X-Request-Id", "mine")
		for name, want := range map[string]string{
			"Etag": `"v1"`, "Location": "/there", "Set-Cookie": "a=b", "X-Request-Id": "mine", "Content-Length": "10",
			"Keep-Alive": "", "Upgrade": "", "Te": "", "Proxy-Authenticate": "",
		} {
			if got := strings.Join(r.Header.Values(name), ","); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.Close || len(r.TransferEncoding) != 0 || len(r.Trailer) != 0 {
			t.Errorf("close %v, transfer encoding %q, trailer %v", r.Close, r.TransferEncoding, r.Trailer)
		}
	})
}

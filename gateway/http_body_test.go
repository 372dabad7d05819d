package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
)

// raw speaks HTTP by hand, so that nothing is repaired on the way. It returns
// everything until the server closes the connection, which the request asks for.
func raw(t *testing.T, base, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// A body that is not to be there would be taken for the next response.
func TestHTTPStatusesWithoutABody(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		base := listen(t, newGateway(t, open(t, url)))
		for _, target := range []string{"GET /status/204", "GET /status/304", "HEAD /bytes", "DELETE /orders/42"} {
			answer := raw(t, base, target+" HTTP/1.1\nHost: x\nConnection: close\n\n")
			head, body, ok := strings.Cut(answer, "\r\n\r\n")
			if !ok || body != "" {
				t.Errorf("%s: %q", target, answer)
			}
			if strings.Contains(head, "Content-Length") && !strings.HasPrefix(target, "HEAD ") {
				t.Errorf("%s: announces a body: %q", target, head)
			}
		}
		if answer := raw(t, base, "HEAD /bytes HTTP/1.1\nHost: x\nConnection: close\n\n"); !strings.Contains(answer, "Content-Length: 3\r\n") {
			t.Errorf("HEAD does not tell the length: %q", answer)
		}
	})
}

func TestHTTPBodyLimit(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		mq, c := open(t, url), client(t)
		base := listen(t, newGateway(t, mq, gateway.MaxBody(10)))
		post := func(body io.Reader) response {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), "POST", base+"/seen", body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			b, _ := io.ReadAll(resp.Body)
			return response{resp, string(b)}
		}
		chunked := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) } // of unknown length
		for name, body := range map[string]io.Reader{
			"with its length": strings.NewReader("0123456789"), "chunked": chunked("0123456789"),
		} {
			if r := post(body); r.StatusCode != 200 || !strings.Contains(r.body, `"0123456789"`) {
				t.Errorf("%s, as long as can be: %d %s", name, r.StatusCode, r.body)
			}
		}
		for name, body := range map[string]io.Reader{
			"with its length": strings.NewReader("0123456789x"), "chunked": chunked("0123456789x"),
		} {
			r := post(body)
			if p := r.problem(t); r.StatusCode != 413 || p.Status != 413 || !strings.Contains(p.Detail, "10 bytes") || p.RequestID == "" {
				t.Errorf("%s, too long: %d %s", name, r.StatusCode, r.body)
			}
		}
		if r := post(chunked("")); r.StatusCode != 200 {
			t.Errorf("chunked and empty: %d", r.StatusCode)
		}
		// What is announced is refused before it is sent.
		if answer := raw(t, base, "POST /seen HTTP/1.1\nHost: x\nContent-Length: 1000000000\n\n"); !strings.HasPrefix(answer, "HTTP/1.1 413 ") {
			t.Errorf("a large length: %q", answer)
		}
	})
}

func TestHTTPClientThatGoesAway(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		gw := newGateway(t, open(t, url), gateway.Timeout(time.Hour))
		base := listen(t, gw)
		const clients = 10
		for i := range clients {
			conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
				t.Fatal(err)
			}
			until(t, "it waits", func() bool { return gw.Stats().Waiting > 0 })
			if i%2 == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0) // a reset instead of an orderly end
			}
			_ = conn.Close()
		}
		until(t, "nobody waits any more", func() bool { return gw.Stats().Waiting == 0 })

		// One that goes away in the middle of its body is answered by nobody.
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
			t.Errorf("half a body: %q, %v", answer, err)
		}
		_ = conn.Close()
	})
}

package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestGatewayAndServiceSealWhatTheySend(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys, err := leanmq.NewKeyring("a", map[string][]byte{"a": bytes.Repeat([]byte("k"), 32)})
		if err != nil {
			t.Fatal(err)
		}
		sealing := func() *leanmq.Client {
			mq, err := leanmq.Open(t.Context(), url, leanmq.Encrypt(keys), leanmq.Compress(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = mq.Close() })
			return mq
		}
		s := webhook.NewService("echo", sealing())
		s.Handle("POST /echo", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			return &webhook.Response{Body: r.Message.Payload, Header: leanmq.Header{"Content-Type": "text/plain"}}, nil
		})
		run(t, s)
		body := strings.Repeat("attack at dawn; ", 100)

		gw := newGateway(t, sealing())
		server := httptest.NewServer(gw)
		defer server.Close()
		resp, err := server.Client().Post(server.URL+"/echo", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || string(got) != body || resp.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: %.40q…, %v", resp.Status, got, err)
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, ":") {
				t.Errorf("the client sees the header %s", name)
			}
		}
		if out, err := gateway.Request[[]byte](t.Context(), gw, "/echo", []byte(body)); err != nil || string(out) != body {
			t.Errorf("%.40q…, %v", out, err)
		}

		// A gateway without the key cannot read the answers.
		if _, err := gateway.Request[[]byte](t.Context(), newGateway(t, open(t, url)), "/echo", []byte(body)); status(err) != http.StatusInternalServerError {
			t.Errorf("%v", err)
		}
	})
}

package webhook_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// sealing connects a process that compresses and encrypts.
func sealing(t *testing.T, url string) *leanmq.Client {
	t.Helper()
	keys, err := leanmq.NewKeyring("a", map[string][]byte{"a": bytes.Repeat([]byte("k"), 32)})
	if err != nil {
		t.Fatal(err)
	}
	mq, err := leanmq.Open(t.Context(), url, leanmq.Encrypt(keys), leanmq.Compress(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mq.Close() })
	return mq
}

func TestHandlersSeeOpenedBodiesParkedOnesToo(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := sealing(t, url)
		body := []byte(strings.Repeat("attack at dawn; ", 100))
		send(t, mq, "/orders/1", body, leanmq.WithHeader("x-tenant", "acme")) // before anybody has registered the path
		if n := parked(t, mq); n != 1 {
			t.Fatalf("%d messages are parked", n)
		}
		got := make(chan []byte, 10)
		s := webhook.NewService("orders", sealing(t, url))
		s.Handle("/orders/{id}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			if h := r.Message.Header; h[":encoding"] != "" || h["x-tenant"] != "acme" {
				t.Errorf("headers %v", h)
			}
			got <- r.Message.Payload
			return nil, nil
		})
		run(t, s)
		send(t, mq, "/orders/2", body, leanmq.WithHeader("x-tenant", "acme"))
		for range 2 {
			if p := receive(t, got); !bytes.Equal(p, body) {
				t.Errorf("%.40q…", p)
			}
		}
		if dead := settled(t, queue(t, mq, "POST", "/orders/1")); len(dead) != 0 {
			t.Errorf("%+v", dead[0])
		}
	})
}

func TestRequestsAndAnswersOfSealingProcesses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := webhook.NewService("echo", sealing(t, url))
		s.Handle("/echo", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			return &webhook.Response{Body: r.Message.Payload}, nil
		})
		run(t, s)
		mq := sealing(t, url)
		if r := request(t, mq, inbox(t, mq), "POST /echo", []byte(`"hello"`)); r.Status != 200 || string(r.Payload) != `"hello"` || r.Header[":encoding"] != "" {
			t.Errorf("%+v", r)
		}
		// One without the key is told that it failed, and told nothing else.
		plain := open(t, url)
		in := inbox(t, plain)
		if r, err := in.Request(t.Context(), queue(t, plain, "POST", "/echo"), []byte(`"hello"`), leanmq.Target("POST /echo")); err == nil {
			t.Errorf("%+v", r)
		}
	})
}

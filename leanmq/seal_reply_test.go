package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestRequestsAndRepliesAreSealed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys := keyring(t, "a")
		all := []leanmq.Option{leanmq.Encrypt(keys), leanmq.Compress(1)}
		for name, c := range map[string]struct{ caller, worker []leanmq.Option }{
			"both":            {all, all},
			"caller only":     {all, []leanmq.Option{leanmq.Decrypt(keys)}},
			"worker only":     {[]leanmq.Option{leanmq.Decrypt(keys)}, all},
			"only compressed": {nil, []leanmq.Option{leanmq.Compress(1)}},
		} {
			t.Run(name, func(t *testing.T) {
				caller := open(t, url, c.caller...)
				q := open(t, url, c.worker...).Queue("jobs")
				header := leanmq.Header{"shared": "by all replies", ":encoding": "forged"}
				consume(t, q, func(_ context.Context, m *leanmq.Message) error {
					m.Reply(leanmq.Reply{Status: http.StatusAccepted, Payload: []byte("dropped")})
					m.Reply(leanmq.Reply{Status: http.StatusCreated, Header: header, Payload: append([]byte("re: "), m.Payload...)})
					return nil
				})
				in := openInbox(t, caller)
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						text := fmt.Sprint(secret, i)
						r, err := in.Request(t.Context(), caller.Queue("jobs"), []byte(text))
						if err != nil || r.Status != http.StatusCreated || string(r.Payload) != "re: "+text ||
							!maps.Equal(r.Header, leanmq.Header{"shared": "by all replies"}) {
							t.Errorf("%+v, %v", r, err)
						}
					})
				}
				wg.Wait()
				becomesEmpty(t, q)
				if header[":encoding"] != "forged" {
					t.Error("the handler's own header was changed")
				}
			})
		}
	})
}

func TestStoredReplyIsSealed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys := keyring(t, "a")
		q := open(t, url, leanmq.Encrypt(keys), leanmq.Compress(1)).Queue("jobs")
		reply := func(m *leanmq.Message) {
			m.Reply(leanmq.Reply{Status: 200, Header: leanmq.Header{"kind": "text"}, Payload: []byte(secret)})
		}
		// Requests of a caller whose inbox is ours to look into.
		c := rawClient(t, url)
		inbox := "leanmq:inbox:{x}"
		request := func() {
			if err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: streamOf("jobs"), Values: []any{"p", "x", "r", "1@" + inbox}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.XGroupCreateMkStream(t.Context(), inbox, "g", "0").Err(); err != nil {
			t.Fatal(err)
		}
		if err := q.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		request()
		consumer := consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			reply(m)
			return nil
		})
		eventually(t, "a reply", func() bool { return len(stored(t, url, inbox)) == 1 })
		consumer.Stop()
		request()
		p := newPuller(t, q)
		ms, err := p.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		reply(ms[0].Message)
		if err := ms[0].Done(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = ms[0].Done(t.Context()) // repeated, as after an unknown outcome
		reply(ms[0].Message)
		_ = ms[0].Done(t.Context())
		replies := stored(t, url, inbox)
		if len(replies) != 4 {
			t.Fatalf("%d replies", len(replies))
		}
		for _, r := range replies {
			if field(r, ":encoding") != "gzip,aes-gcm;key=a" || field(r, "kind") != "text" || strings.Contains(field(r, "p"), "attack") {
				t.Errorf("%.80q", r.Values)
			}
			if got, err := keys.Unseal([]byte(field(r, "p")), field(r, ":encoding")); err != nil || string(got) != secret {
				t.Errorf("%.40q…, %v", got, err)
			}
		}
	})
}

func TestReplyThatCannotBeOpenedIsTheCallersError(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		caller := open(t, url)
		consume(t, open(t, url, leanmq.Encrypt(keyring(t, "a"))).Queue("jobs"), func(_ context.Context, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Status: 200, Payload: []byte(secret)})
			return nil
		})
		in := openInbox(t, caller)
		r, err := in.Request(t.Context(), caller.Queue("jobs"), []byte("plain"))
		var where *leanmq.Error
		if r != nil || !errors.As(err, &where) || !strings.Contains(err.Error(), `key "a"`) || !strings.Contains(err.Error(), "its keys: none") {
			t.Errorf("%v, %v", r, err)
		}
		// A handler that made this request must not have its own message dead-lettered.
		if leanmq.HasVerdict(err) || errors.Is(err, leanmq.ErrUndecodable) {
			t.Errorf("%v is a verdict", err)
		}
	})
}

func TestCallerOfWhatCannotBeOpenedIsTold(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		caller := open(t, url, leanmq.Encrypt(keyring(t, "a")))
		q := open(t, url).Queue("jobs")
		in := openInbox(t, caller)
		told := func(t *testing.T) {
			t.Helper()
			r, err := in.Request(t.Context(), caller.Queue("jobs"), []byte(secret))
			if err != nil || r.Status != http.StatusInternalServerError {
				t.Errorf("%+v, %v", r, err)
			}
			becomesEmpty(t, q)
		}
		t.Run("consume", func(t *testing.T) {
			consume(t, q, func(context.Context, *leanmq.Message) error {
				t.Error("a handler sees it")
				return nil
			})
			told(t)
		})
		t.Run("pull", func(t *testing.T) {
			p := newPuller(t, q)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if ms, err := p.Receive(ctx, 1); !errors.Is(err, context.Canceled) {
					t.Errorf("%v, %v", ms, err)
				}
			})
			told(t)
			cancel()
			wg.Wait()
		})
	})
}

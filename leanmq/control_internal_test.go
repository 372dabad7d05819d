package leanmq

import (
	"context"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	_ "github.com/leanmq/leanmq/leanmq/embedded"
)

// What a fetch brings that was under way when the pause was seen is not handled; the
// keeper is asked to hand it back. If the pause is over before, it is handled.
func TestDeliveryToAPausedPoolIsNotHandled(t *testing.T) {
	for name, batch := range map[string]int{"single": 0, "batches": 2} {
		t.Run(name, func(t *testing.T) {
			mq, err := Open(t.Context(), "mem://")
			if err != nil {
				t.Fatal(err)
			}
			q := mq.Queue("q")
			handled := make(chan string, 2)
			cfg, err := q.consumeConfig(nil)
			if err != nil {
				t.Fatal(err)
			}
			if batch > 0 {
				cfg.batch = batching{batch, time.Hour, func(_ context.Context, b []*Message) []error {
					for _, m := range b {
						handled <- m.ID
					}
					return nil
				}}
			}
			p := newPool(context.Background(), q, func(_ context.Context, m *Message) error {
				handled <- m.ID
				return nil
			}, cfg)
			p.fetch = newFetcher(mq) // of no queue
			if err := p.join(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"1", "2"} {
				if _, err := q.Send(t.Context(), []byte("x"), ID(id)); err != nil {
					t.Fatal(err)
				}
			}
			var entries []store.Entry
			reader := mq.s.NewReader()
			err = reader.Read(t.Context(), mq.instance, []*store.Queue{q.sq}, 2, 0, func(_ int, e store.Entry) { entries = append(entries, e) })
			_ = reader.Close()
			if err != nil || len(entries) != 2 {
				t.Fatal(entries, err)
			}

			p.settings.Paused = true
			p.deliver(p.sources[0], entries, p.epoch)
			select {
			case <-p.control:
			default:
				t.Error("the keeper is not asked")
			}
			time.Sleep(20 * time.Millisecond) // there is nothing to wait for
			if len(handled) != 0 {
				t.Errorf("%d handled while paused", len(handled))
			}

			p.mu.Lock()
			p.settings.Paused = false
			p.mu.Unlock()
			p.goOn(t.Context())
			for range 2 {
				select {
				case <-handled:
				case <-time.After(10 * time.Second):
					t.Fatal("not handled after the pause")
				}
			}
			p.mu.Lock()
			p.stopping = true // and wait for the settling
			p.mu.Unlock()
			p.waitIdle(10 * time.Second)
			p.waitSettled(10 * time.Second)
			p.fetch.close()
			if err := mq.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A consumer's memory of marks shrinks with the marks in Redis.
func TestOutdatedMarksAreForgotten(t *testing.T) {
	mq, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	q := mq.Queue("q")
	var c cancellations
	look := func() {
		t.Helper()
		news, err := c.news(t.Context(), q.sq)
		if err != nil {
			t.Fatal(err)
		}
		c.learn(news)
	}
	if _, err := q.Cancel(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	look()
	if !c.has(&Message{ID: "x"}) || c.has(&Message{ID: "y"}) || c.has(&Message{ID: "x", SentAt: time.Now().Add(time.Hour)}) {
		t.Errorf("%v", c)
	}
	for i := range 3 * spareMarks {
		c.at[time.Duration(i).String()] = 1 // those of messages that others have dropped
	}
	look()
	if len(c.at) != 1 || !c.has(&Message{ID: "x"}) {
		t.Errorf("%d marks are left", len(c.at))
	}
}

package leanmq_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestCompressOnlyWhereItHelps(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.Compress(1000))
		for payload, mark := range map[string]string{
			secret:                     "gzip",
			strings.Repeat("x", 1000):  "gzip",
			strings.Repeat("x", 999):   "",
			string(random(5000)):       "",
			"":                         "",
			string(random(1_000_000)):  "",
			strings.Repeat("x", 1<<20): "gzip",
		} {
			q := mq.Queue("jobs")
			send(t, q, payload)
			e := stored(t, url, streamOf("jobs"))[0]
			size := len(field(e, "p"))
			if field(e, ":encoding") != mark || mark == "" && size != len(payload) || mark != "" && size >= len(payload) {
				t.Errorf("%d bytes became %d, marked %q, want %q", len(payload), size, field(e, ":encoding"), mark)
			}
			var seen record
			c := consume(t, q, seen.done)
			if got := seen.wait(t, 1)[0].Payload; got != payload {
				t.Errorf("%d bytes arrived as %d", len(payload), len(got))
			}
			c.Stop()
		}
	})
}

func TestTheLargestPayloadCanBeSealed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.Compress(1), leanmq.Encrypt(keyring(t, "a")))
		q := mq.Queue("jobs")
		for _, payload := range [][]byte{make([]byte, leanmq.MaxPayload), random(leanmq.MaxPayload)} {
			if _, err := q.Send(t.Context(), payload); err != nil {
				t.Fatal(err)
			}
			got := make(chan []byte, 1)
			c := consume(t, q, func(_ context.Context, m *leanmq.Message) error {
				got <- m.Payload
				return nil
			})
			if !bytes.Equal(receive(t, "the payload", got), payload) {
				t.Error("another one arrives")
			}
			c.Stop()
			_, err := q.Send(t.Context(), make([]byte, leanmq.MaxPayload+1))
			isInvalid(t, err, "payload")
		}
	})
}

// bomb is n bytes, compressed.
func bomb(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for ; n > 0; n -= len(zeros) {
		if _, err := w.Write(zeros[:min(n, len(zeros))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBombIsDeadLettered(t *testing.T) {
	small := bomb(t, 64<<20) // not parallel: it counts all that is allocated
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		if err := rawClient(t, url).XAdd(t.Context(), &redis.XAddArgs{
			Stream: streamOf("jobs"), Values: []any{"p", small, ":encoding", "gzip"},
		}).Err(); err != nil {
			t.Fatal(err)
		}
		consume(t, q, func(context.Context, *leanmq.Message) error {
			t.Error("a handler sees it")
			return nil
		})
		d := oneDead(t, q)
		if d.Reason != leanmq.ReasonUndecodable || !strings.Contains(d.Error, "larger than 16777216 bytes") {
			t.Errorf("%s: %s", d.Reason, d.Error)
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := (*leanmq.Keyring)(nil).Unseal(small, "gzip"); err == nil {
		t.Error("it is opened")
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 3*leanmq.MaxPayload/2 {
		t.Errorf("it took %d bytes", used)
	}
	if _, err := (*leanmq.Keyring)(nil).Unseal(bomb(t, leanmq.MaxPayload), "gzip"); err != nil {
		t.Errorf("the largest payload is no bomb: %v", err)
	}
}

package leanmq_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// secret is a text that compresses well, and that nothing else contains.
var secret = strings.Repeat("attack at dawn; ", 200)

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func streamOf(queue string) string { return "leanmq:{" + queue + "}:" + queue }

// stored is what Redis has of a stream's entries.
func stored(t testing.TB, url, stream string) []redis.XMessage {
	t.Helper()
	entries, err := rawClient(t, url).XRange(t.Context(), stream, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func field(e redis.XMessage, name string) string {
	s, _ := e.Values[name].(string)
	return s
}

// allBytes is everything that Redis holds.
func allBytes(t testing.TB, url string) string {
	t.Helper()
	c := rawClient(t, url)
	var b strings.Builder
	for _, key := range c.Keys(t.Context(), "*").Val() {
		switch c.Type(t.Context(), key).Val() {
		case "stream":
			fmt.Fprintln(&b, c.XRange(t.Context(), key, "-", "+").Val())
		case "hash":
			fmt.Fprintln(&b, c.HGetAll(t.Context(), key).Val())
		case "string":
			fmt.Fprintln(&b, c.Get(t.Context(), key).Val())
		}
	}
	return b.String()
}

// A fleet never changes all at once: a reader goes by the mark, whatever its own
// options are.
func TestMixedFleetsReadEachOther(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys := keyring(t, "2026-11")
		senders := map[string]struct {
			mark string
			opts []leanmq.Option
		}{
			"plain":      {"", nil},
			"compressed": {"gzip", []leanmq.Option{leanmq.Compress(100)}},
			"encrypted":  {"aes-gcm;key=2026-11", []leanmq.Option{leanmq.Encrypt(keys)}},
			"both":       {"gzip,aes-gcm;key=2026-11", []leanmq.Option{leanmq.Encrypt(keys), leanmq.Compress(100)}},
		}
		readers := map[string][]leanmq.Option{
			"with the key only": {leanmq.Decrypt(keys)},
			"encrypting":        {leanmq.Encrypt(keys)},
			"with another key":  {leanmq.Encrypt(keyring(t, "2027-01", "2026-11")), leanmq.Compress(1)},
		}
		for sender, s := range senders {
			t.Run(sender, func(t *testing.T) {
				for reader, opts := range readers {
					q := open(t, url, s.opts...).Queue("jobs")
					send(t, q, secret)
					if _, err := q.SendMany(t.Context(), [][]byte{[]byte(secret), []byte(secret)}, leanmq.WithHeader("tenant", "a")); err != nil {
						t.Fatal(err)
					}
					if _, err := q.SendValue(t.Context(), secret, leanmq.WithCodec(leanmq.Bytes)); err != nil {
						t.Fatal(err)
					}
					send(t, q, secret, leanmq.Delay(50*time.Millisecond))
					send(t, q, secret, leanmq.ID(sender+reader))
					if all := allBytes(t, url); strings.Contains(all, secret) != (s.mark == "") {
						t.Errorf("Redis holds the plain text: %v", s.mark != "")
					}
					for _, e := range stored(t, url, streamOf("jobs")) {
						if got := field(e, ":encoding"); got != s.mark {
							t.Errorf("marked as %q, want %q", got, s.mark)
						}
					}
					var seen record
					c := consume(t, open(t, url, opts...).Queue("jobs"), seen.done)
					for _, m := range seen.wait(t, 6) {
						if m.Payload != secret {
							t.Fatalf("%s reads %.40q…", reader, m.Payload)
						}
						if _, marked := m.Header[":encoding"]; marked {
							t.Errorf("the handler sees %v", m.Header)
						}
					}
					c.Stop()
					becomesEmpty(t, q)
				}
			})
		}
	})
}

func TestPullerOpens(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys := keyring(t, "a")
		mq := open(t, url, leanmq.Encrypt(keys), leanmq.Compress(1))
		q := mq.Queue("jobs")
		send(t, q, secret)
		p := newPuller(t, open(t, url, leanmq.Decrypt(keys)).Queue("jobs"))
		ms, err := p.Receive(t.Context(), 10)
		if err != nil || len(ms) != 1 || string(ms[0].Payload) != secret {
			t.Fatal(ms, err)
		}
		if err := ms[0].Done(t.Context()); err != nil {
			t.Fatal(err)
		}

		send(t, q, secret)
		other := newPuller(t, open(t, url).Queue("jobs"))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if ms, err := other.Receive(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", ms, err)
		}
		if d := oneDead(t, q); d.Reason != leanmq.ReasonUndecodable || d.Message.Attempt != 0 || string(d.Message.Payload) != secret {
			t.Errorf("%+v", d)
		}
	})
}

func TestRetriesAndTakeoversStaySealed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.Encrypt(keyring(t, "a")), leanmq.Compress(1))
		q := mq.Queue("jobs")
		send(t, q, secret)
		var seen record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			seen.add(m)
			if m.Attempt < 3 {
				return leanmq.RetryAfter(time.Millisecond, errors.New("busy"))
			}
			return nil
		}, quick)
		for i, m := range seen.wait(t, 3) {
			if m.Payload != secret || m.Attempt != i+1 {
				t.Errorf("%d: attempt %d, payload %.40q…", i, m.Attempt, m.Payload)
			}
		}
		becomesEmpty(t, q)
	})
}

func TestLookingShowsOpenedPayloads(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.Encrypt(keyring(t, "a")))
		plain := open(t, url)
		send(t, mq.Queue("jobs"), secret)
		send(t, mq.Queue("jobs"), secret, leanmq.Delay(time.Hour))
		look := func(mq *leanmq.Client) (out []*leanmq.Message) {
			q := mq.Queue("jobs")
			for m, err := range q.Waiting(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, m)
			}
			later, err := q.Scheduled(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			for i := range later {
				out = append(out, &later[i].Message)
			}
			if len(out) != 2 {
				t.Fatalf("%d messages", len(out))
			}
			return out
		}
		for _, m := range look(mq) {
			if string(m.Payload) != secret || len(m.Header) != 0 {
				t.Errorf("with the key: %.40q…, %v", m.Payload, m.Header)
			}
		}
		for _, m := range look(plain) {
			if len(m.Payload) != len(secret)+28 || m.Header[":encoding"] != "aes-gcm;key=a" {
				t.Errorf("without: %d bytes, %v", len(m.Payload), m.Header)
			}
		}
	})
}

func TestSealedSendIsDeduplicated(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url, leanmq.Encrypt(keyring(t, "a"))).Queue("jobs")
		send(t, q, secret, leanmq.ID("mine"), leanmq.Delay(time.Millisecond))
		id, err := q.Send(t.Context(), []byte(secret), leanmq.ID("mine"))
		if id != "mine" || !errors.Is(err, leanmq.ErrDuplicate) {
			t.Error(id, err)
		}
		var seen record
		consume(t, q, seen.done)
		if m := seen.wait(t, 1)[0]; m.Payload != secret || m.ID != "mine" {
			t.Errorf("%+v", m)
		}
		becomesEmpty(t, q)
	})
}

func TestOpeningLeavesTheSealedBytesAsTheyAre(t *testing.T) {
	keys := keyring(t, "a")
	sealed, mark := leanmq.Seal(1, keys, []byte(secret))
	before := bytes.Clone(sealed)
	if _, err := keys.Unseal(sealed, mark); err != nil || !bytes.Equal(sealed, before) {
		t.Errorf("changed, %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	before = bytes.Clone(sealed)
	if _, err := keys.Unseal(sealed, mark); err == nil || !bytes.Equal(sealed, before) {
		t.Errorf("changed, %v", err)
	}
}

func TestManySealAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.Encrypt(keyring(t, "a")), leanmq.Compress(1))
		q := mq.Queue("jobs")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 25 {
					send(t, q, strings.Repeat(fmt.Sprintf("%d/%d ", i, j), 100))
				}
			})
		}
		wg.Wait()
		var seen record
		consume(t, q, seen.done)
		seen.wait(t, 200)
		got := map[string]bool{}
		for _, p := range seen.payloads() {
			first, _, _ := strings.Cut(p, " ")
			if p != strings.Repeat(first+" ", 100) {
				t.Fatalf("mixed up: %.80q…", p)
			}
			got[first] = true
		}
		if len(got) != 200 {
			t.Errorf("%d different ones", len(got))
		}
	})
}

func TestBadSealOptionsAreRefused(t *testing.T) {
	keys := keyring(t, "a")
	for _, c := range []struct {
		field string
		opts  []leanmq.Option
	}{
		{"Compress", []leanmq.Option{leanmq.Compress(0)}},
		{"Compress", []leanmq.Option{leanmq.Compress(leanmq.MaxPayload + 1)}},
		{"Encrypt", []leanmq.Option{leanmq.Encrypt(nil)}},
		{"Encrypt", []leanmq.Option{leanmq.Encrypt(&leanmq.Keyring{})}},
		{"Decrypt", []leanmq.Option{leanmq.Decrypt(nil)}},
		{"Decrypt", []leanmq.Option{leanmq.Encrypt(keys), leanmq.Decrypt(keys)}},
		{"Decrypt", []leanmq.Option{leanmq.Decrypt(keys), leanmq.Encrypt(keys)}},
	} {
		_, err := leanmq.Open(t.Context(), "mem://", c.opts...)
		isInvalid(t, err, c.field)
	}
	good := make([]byte, 32)
	for _, c := range []struct {
		field, primary string
		keys           map[string][]byte
	}{
		{"primary", "a", nil},
		{"primary", "", map[string][]byte{"a": good}},
		{"primary", "b", map[string][]byte{"a": good}},
		{"key", "a", map[string][]byte{"a": good[:16]}},
		{"key", "a", map[string][]byte{"a": good[:24]}},
		{"key", "a", map[string][]byte{"a": make([]byte, 33)}},
		{"key", "a", map[string][]byte{"a": nil}},
		{"key id", "", map[string][]byte{"": good}},
		{"key id", "a,b", map[string][]byte{"a,b": good}},
		{"key id", "a;b", map[string][]byte{"a;b": good}},
		{"key id", "ü", map[string][]byte{"ü": good}},
		{"key id", "a", map[string][]byte{"a": good, strings.Repeat("x", 65): good}},
	} {
		_, err := leanmq.NewKeyring(c.primary, c.keys)
		isInvalid(t, err, c.field)
	}
}

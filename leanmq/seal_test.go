package leanmq_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// keyring has the keys with these ids, the first one as primary. Keys with the
// same id are the same.
func keyring(t testing.TB, ids ...string) *leanmq.Keyring {
	t.Helper()
	keys := map[string][]byte{}
	for _, id := range ids {
		keys[id] = bytes.Repeat([]byte(id[len(id)-1:]), 32)
	}
	k, err := leanmq.NewKeyring(ids[0], keys)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

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

func TestRotation(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		sender := func(ids ...string) *leanmq.Queue {
			return open(t, url, leanmq.Encrypt(keyring(t, ids...))).Queue("jobs")
		}
		send(t, sender("old"), "one")
		send(t, sender("new", "old"), "two")
		entries := stored(t, url, streamOf("jobs"))
		for i, mark := range []string{"aes-gcm;key=old", "aes-gcm;key=new"} {
			if got := field(entries[i], ":encoding"); got != mark {
				t.Errorf("message %d is marked %q, want %q", i, got, mark)
			}
		}
		var seen record
		c := consume(t, sender("new", "old"), seen.done, leanmq.Concurrency(1))
		seen.wait(t, 2)
		if got := seen.payloads(); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("%q", got)
		}
		c.Stop()
	})
}

func TestMessageWithoutItsKeyIsDeadUntilSomeoneHasIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys := keyring(t, "old")
		q := open(t, url, leanmq.Encrypt(keys), leanmq.Compress(1)).Queue("jobs")
		id := send(t, q, secret, leanmq.ID("mine"), leanmq.WithHeader("tenant", "a"))
		sent := stored(t, url, streamOf("jobs"))[0].Values

		without := open(t, url, leanmq.Encrypt(keyring(t, "new"))).Queue("jobs")
		c := consume(t, without, func(context.Context, *leanmq.Message) error {
			t.Error("a handler sees it")
			return nil
		}, quick)
		d := oneDead(t, without)
		c.Stop()
		if d.Reason != leanmq.ReasonUndecodable || d.Message.Attempt != 0 || d.Message.ID != id {
			t.Errorf("%+v", d)
		}
		if !strings.Contains(d.Error, `encrypted with key "old"`) || !strings.Contains(d.Error, "its keys: new") {
			t.Errorf("%q does not name the keys", d.Error)
		}
		// Nothing of what was sent is changed.
		dead := stored(t, url, streamOf("jobs")+":dlq")[0].Values
		for name, value := range sent {
			if dead[name] != value {
				t.Errorf("field %q is %.40q…, was %.40q…", name, dead[name], value)
			}
		}
		// Who cannot open it sees it sealed; who can, plain.
		if string(d.Message.Payload) != sent["p"] || d.Message.Header[":encoding"] != "gzip,aes-gcm;key=old" || d.Message.Header["tenant"] != "a" {
			t.Errorf("shown without the key: %.40q…, %v", d.Message.Payload, d.Message.Header)
		}
		if err := d.Message.Decode(new(string)); !errors.Is(err, leanmq.ErrUndecodable) || !strings.Contains(err.Error(), "sealed") {
			t.Errorf("Decode of the sealed one: %v", err)
		}
		got, err := q.DeadLetter(t.Context(), d.Letter)
		if err != nil || string(got.Message.Payload) != secret || !maps.Equal(got.Message.Header, leanmq.Header{"tenant": "a"}) {
			t.Errorf("shown with the key: %+v, %v", got, err)
		}

		// Requeued, by whomever, it is readable for who has the key.
		if n, err := without.Requeue(t.Context(), d.Letter); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		var seen record
		consume(t, open(t, url, leanmq.Encrypt(keyring(t, "new", "old"))).Queue("jobs"), seen.done)
		if m := seen.wait(t, 1)[0]; m.Payload != secret || m.ID != id || m.Attempt != 1 || m.Header["tenant"] != "a" {
			t.Errorf("%+v", m)
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

// swap replaces the only message of the queue by what change makes of it.
func swap(t *testing.T, url, queue string, change func(values map[string]any)) {
	t.Helper()
	c := rawClient(t, url)
	entries := stored(t, url, streamOf(queue))
	if len(entries) != 1 {
		t.Fatalf("%d messages", len(entries))
	}
	change(entries[0].Values)
	if err := c.XDel(t.Context(), streamOf(queue), entries[0].ID).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: streamOf(queue), Values: entries[0].Values}).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTamperedPayloadReachesNoHandler(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		// The two keys are the same, so that only the mark tells them apart.
		key := bytes.Repeat([]byte("k"), 32)
		keys, err := leanmq.NewKeyring("one", map[string][]byte{"one": key, "two": key})
		if err != nil {
			t.Fatal(err)
		}
		mq := open(t, url, leanmq.Encrypt(keys), leanmq.Compress(1))
		flip := func(at int) func(map[string]any) {
			return func(v map[string]any) {
				b := []byte(v["p"].(string))
				b[(at+len(b))%len(b)] ^= 1
				v["p"] = string(b)
			}
		}
		mark := func(m string) func(map[string]any) { return func(v map[string]any) { v[":encoding"] = m } }
		for name, c := range map[string]struct {
			change func(map[string]any)
			says   string
		}{
			"nonce":      {flip(0), "authentication failed"},
			"text":       {flip(20), "authentication failed"},
			"tag":        {flip(-1), "authentication failed"},
			"cut":        {func(v map[string]any) { v["p"] = v["p"].(string)[:20] }, "authentication failed"},
			"empty":      {func(v map[string]any) { v["p"] = "" }, "authentication failed"},
			"compressed": {mark("aes-gcm;key=one"), "authentication failed"},
			"key":        {mark("gzip,aes-gcm;key=two"), "authentication failed"},
			"no-key":     {mark("gzip"), "cannot be decompressed"},
			"unknown":    {mark("br,aes-gcm;key=one"), `encoding "br,aes-gcm;key=one"`},
			"order":      {mark("aes-gcm;key=one,gzip"), `encoding "aes-gcm;key=one,gzip"`},
			"twice":      {mark("gzip,gzip,aes-gcm;key=one"), "does not know"},
			"comma":      {mark("gzip,"), "does not know"},
		} {
			t.Run(name, func(t *testing.T) {
				q := mq.Queue(name)
				send(t, q, secret)
				swap(t, url, name, c.change)
				consume(t, q, func(context.Context, *leanmq.Message) error {
					t.Error("a handler sees it")
					return nil
				}, quick)
				d := oneDead(t, q)
				if d.Reason != leanmq.ReasonUndecodable || !strings.Contains(d.Error, c.says) {
					t.Errorf("%s: %q does not say %q", d.Reason, d.Error, c.says)
				}
			})
		}
	})
}

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

func TestEqualPayloadsAreEncryptedDifferently(t *testing.T) {
	keys := keyring(t, "a")
	seen := map[string]bool{}
	for range 100 {
		sealed, mark := leanmq.Seal(0, keys, []byte("yes"))
		if seen[string(sealed)] || seen[string(sealed[:12])] {
			t.Fatal("a nonce is used twice")
		}
		seen[string(sealed)], seen[string(sealed[:12])] = true, true
		if got, err := keys.Unseal(sealed, mark); err != nil || string(got) != "yes" {
			t.Fatal(got, err)
		}
	}
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

func TestKeyringDoesNotShowKeys(t *testing.T) {
	k := keyring(t, "2026-11", "2026-10")
	want := "keyring(primary 2026-11 of 2026-10, 2026-11)"
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, k); got != want {
			t.Errorf("%s: %s", format, got)
		}
	}
}

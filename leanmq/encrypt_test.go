package leanmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

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

func TestKeyringDoesNotShowKeys(t *testing.T) {
	k := keyring(t, "2026-11", "2026-10")
	want := "keyring(primary 2026-11 of 2026-10, 2026-11)"
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, k); got != want {
			t.Errorf("%s: %s", format, got)
		}
	}
}

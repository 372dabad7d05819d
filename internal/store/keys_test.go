package store

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func (q QueueKeys) all() []string {
	return []string{
		q.Stream, q.Dead, q.Delayed, q.Bodies, q.Periodic, q.Workers, q.Meta, q.Order, q.Unique, q.Rate, q.Canceled,
		q.level(1).Stream, q.Lane("x"), q.UniqueFor("x"), q.Result("x"), q.Results(), q.Progress("x"),
	}
}

func TestQueueKeys(t *testing.T) {
	for _, tt := range []struct{ in, name, stream string }{
		{"emails", "emails", "leanmq:{emails}:emails"},
		{"orders:created", "orders:created", "leanmq:{orders}:created"},
		{"emails:emails", "emails", "leanmq:{emails}:emails"},
		{"/orders/created", "/orders/created", "leanmq:{/orders/created}:/orders/created"},
		{"s:/a b/é", "s:/a b/é", "leanmq:{s}:/a b/é"},
	} {
		got, err := Keys{"leanmq"}.Queue(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if got.Name != tt.name || got.Stream != tt.stream {
			t.Errorf("%q: name %q, stream %q; want %q, %q", tt.in, got.Name, got.Stream, tt.name, tt.stream)
		}
		tag := "{" + got.Tag + "}"
		for _, key := range append(got.all(), got.Dedupe("id"), got.Dedupe("}{")) {
			open := strings.IndexByte(key, '{')
			if open < 0 || !strings.HasPrefix(key[open:], tag) {
				t.Errorf("%q: key %q does not have the hash tag %s", tt.in, key, tag)
			}
		}
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ in, field, want string }{
		{"", "queue name", "is empty"},
		{":", "queue tag", "is empty"},
		{":a", "queue tag", "is empty"},
		{"a:", "queue name", "is empty"},
		{"a:b:c:d", "queue name", "colons"},
		{":b:c", "topic tag", "is empty"},
		{"a::c", "topic name", "is empty"},
		{"a:b:", "group name", "is empty"},
		{"a:b:leanmq", "group name", "is reserved"},
		{"a{b", "queue name", "braces"},
		{"a:b}", "queue name", "braces"},
		{"a\nb", "queue name", "unprintable"},
		{"a\x7f", "queue name", "unprintable"},
		{"s:a\x00", "queue name", "unprintable"},
		{"\xff", "queue name", "UTF-8"},
		{" a", "queue name", "white space"},
		{"a ", "queue name", "white space"},
		{"a: b", "queue name", "white space"},
		{strings.Repeat("x", 201), "queue name", "201 bytes: at most 200"},
		{strings.Repeat("x", 65) + ":a", "queue tag", "65 bytes: at most 64"},
		{"s:" + strings.Repeat("x", 201), "queue name", "201 bytes: at most 200"},
	} {
		_, err := Keys{"leanmq"}.Queue(tt.in)
		var bad *NameError
		if !errors.As(err, &bad) || bad.What != tt.field || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want a NameError of the %s with %q", tt.in, err, tt.field, tt.want)
		}
	}
	for _, longest := range []string{strings.Repeat("x", 200), strings.Repeat("s", 64) + ":" + strings.Repeat("x", 200)} {
		if _, err := (Keys{"leanmq"}).Queue(longest); err != nil {
			t.Error(err)
		}
	}
}

func TestNamesLookAlikeAndShareNothing(t *testing.T) {
	names := []string{
		"/a/b", "/a_b", "/a-b", "/a.b", "a/b", "/a//b", "/a/b/", "a", "b", "a:b", "b:a", "A", "a:dlq", "a:delayed",
		"dlq", "delayed", "inbox", "queues", "inbox:queues", "routes", "dedupe", "a:dedupe", "é", "e\u0301",
	}
	seen := map[string]string{}
	for _, reserved := range []string{
		Keys{"leanmq"}.Queues(), Keys{"leanmq"}.Routes(), Keys{"leanmq"}.Notices(), Keys{"leanmq"}.Inbox("a"),
	} {
		seen[reserved] = "(reserved)"
	}
	for _, name := range names {
		k, err := Keys{"leanmq"}.Queue(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range append(k.all(), k.Dedupe(""), k.Dedupe("a"), k.Dedupe("dlq")) {
			if other, taken := seen[key]; taken {
				t.Errorf("%q and %q share the key %s", name, other, key)
			}
			seen[key] = name
		}
	}
}

func TestPrefixesShareNothing(t *testing.T) {
	a, err1 := Keys{"leanmq"}.Queue("jobs")
	b, err2 := Keys{"leanmq2"}.Queue("jobs")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for i, key := range a.all() {
		if key == b.all()[i] {
			t.Errorf("both have %s", key)
		}
	}
}

// FuzzQueueName: no name panics, and two queues never share a key, whatever
// ids are remembered for them.
func FuzzQueueName(f *testing.F) {
	for _, s := range [][4]string{
		{"/a/b", "/a_b", "1", "2"},
		{"a", "a:b", "", "dlq"},
		{"a:b", "b:a", "x:dedupe:y", "y"},
		{"a:a", "a", "1", "1"},
		{"inbox", "queues", "}", "{"},
		{"é", "e\u0301", "\xff", ""},
		{"a:dedupe", "a", "x", "dedupe:x"},
		{"a:b:dlq", "a:b", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, nameA, nameB, idA, idB string) {
		keys := Keys{"leanmq"}
		a, errA := keys.Queue(nameA)
		b, errB := keys.Queue(nameB)
		if errA != nil {
			var bad *NameError
			if !errors.As(errA, &bad) {
				t.Fatalf("%q: not a NameError: %v", nameA, errA)
			}
			return
		}
		if !utf8.ValidString(a.Name) {
			t.Fatalf("%q was accepted", nameA)
		}
		again, err := keys.Queue(a.Name)
		if err != nil || again != a {
			t.Fatalf("%q is not canonical: %v, %+v", a.Name, err, again)
		}
		if errB != nil || a.Name == b.Name {
			return
		}
		seen := map[string]bool{keys.Queues(): true, keys.Routes(): true, keys.Notices(): true, keys.Inbox(idA): true}
		for _, key := range append(a.all(), a.Dedupe(idA)) {
			if seen[key] {
				t.Fatalf("%q has the key %q twice", nameA, key)
			}
			seen[key] = true
		}
		for _, key := range append(b.all(), b.Dedupe(idB)) {
			if seen[key] {
				t.Fatalf("%q and %q share the key %q", nameA, nameB, key)
			}
		}
	})
}

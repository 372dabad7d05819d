package webhook

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPatternQueueName(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{"/", "/"},
		{"/{$}", "/"},
		{"GET /", "GET /"},
		{"POST  /orders/create", "POST /orders/create"},
		{"POST /orders/{id}/status", "POST /orders/*/status"},
		{"/orders/{order}/status/", "/orders/*/status"},
		{"/files/{rest...}", "/files/**"},
		{"/{rest...}", "/**"},
		{"/a/b", "/a/b"},
		{"/a-b", "/a-b"},
		{"/a_b", "/a_b"},
		{"/a%2Fb", "/a%2Fb"},
		{"/a%252Fb", "/a%252Fb"},
		{"/*", "/%2A"},
		{"/**", "/%2A%2A"},
		{"/a:b%7Bc%7D", "/a%3Ab%7Bc%7D"},
		{"/caf%c3%a9", "/caf%C3%A9"},
		{"/%0a%20%ff", "/%0A%20%FF"},
		{"/[a-z]%3F", "/%5Ba-z%5D%3F"},
		{"/@v1.2~x+y,z=0", "/@v1.2~x+y,z=0"},
	} {
		p := mustParse(t, tt.pattern)
		if got := p.queueName(); got != tt.want {
			t.Errorf("queueName of %q = %q, want %q", tt.pattern, got, tt.want)
		}
		checkQueueName(t, p)
	}
}

func TestPatternQueueNameLimit(t *testing.T) {
	for _, s := range []string{
		"/" + strings.Repeat("a", 199),
		"POST /" + strings.Repeat("a", 194),
		"/" + strings.Repeat("é", 33) + "/",
		"/{" + strings.Repeat("a", 500) + "}", // a wildcard's name is no part of it
	} {
		checkQueueName(t, mustParse(t, s))
		if s[len(s)-1] == 'a' {
			if p, err := parsePattern(s + "a"); err == nil {
				t.Errorf("no error for a queue name of %d bytes", len(p.queueName()))
			}
		}
	}
}

// checkQueueName checks what package leanmq demands of the name of a queue.
func checkQueueName(tb testing.TB, p *pattern) {
	tb.Helper()
	name := p.queueName()
	if name == "" || len(name) > 200 {
		tb.Errorf("the queue name of %q has %d bytes", p, len(name))
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || strings.IndexByte("{}:", c) >= 0 {
			tb.Errorf("the queue name of %q, %q, contains %q", p, name, c)
		}
	}
}

// Two patterns must share a queue exactly if they match the same requests.
func TestPatternQueueNameInjective(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	// Bytes that separate or mark something in a name, in both spellings.
	atoms := []string{"a", "*", "**", "%2A", "%25", "2A", "2F", "%2F", "%20", "-", "_", "%7B", "%7D", ":", "é", "%C3"}
	random := func() string {
		if r.IntN(4) == 0 {
			return randomPattern(r)
		}
		var b strings.Builder
		b.WriteString([]string{"", "", "", "GET ", "* "}[r.IntN(5)])
		for i := range 1 + r.IntN(2) {
			switch r.IntN(6) {
			case 0:
				b.WriteString("/{" + []string{"x", "y"}[i] + "}")
			default:
				b.WriteByte('/')
				for range 1 + r.IntN(3) {
					b.WriteString(atoms[r.IntN(len(atoms))])
				}
			}
		}
		if r.IntN(6) == 0 {
			b.WriteString("/{rest...}")
		}
		return b.String()
	}
	byName := make(map[string]*pattern)
	same := 0
	for range 50_000 {
		p := mustParse(t, random())
		name := p.queueName()
		if q, ok := byName[name]; ok {
			same++
			if relate(p, q) != equivalent {
				t.Fatalf("%q and %q share the queue %q", p, q, name)
			}
		}
		byName[name] = p

		q := mustParse(t, random())
		if eq := relate(p, q) == equivalent; eq != (name == q.queueName()) {
			t.Fatalf("%q and %q: equivalent %v, queues %q and %q", p, q, eq, name, q.queueName())
		}
	}
	if same < 1000 || len(byName) < 1000 {
		t.Errorf("%d names, %d met twice: the sample proves little", len(byName), same)
	}
}

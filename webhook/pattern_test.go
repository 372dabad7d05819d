package webhook

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPatternParse(t *testing.T) {
	lit := func(s string) segment { return segment{segLiteral, s} }
	wild := func(s string) segment { return segment{segWild, s} }
	rest := func(s string) segment { return segment{segRest, s} }
	for _, tt := range []struct {
		in     string
		method string
		segs   []segment
		str    string
	}{
		{"/", "", nil, "/"},
		{"/{$}", "", nil, "/"},
		{"GET /", "GET", nil, "GET /"},
		{"/a", "", []segment{lit("a")}, "/a"},
		{"/a/", "", []segment{lit("a")}, "/a"},
		{"/a/{$}", "", []segment{lit("a")}, "/a"},
		{"/a/b", "", []segment{lit("a"), lit("b")}, "/a/b"},
		{"POST \t /orders/{id}/status", "POST", []segment{lit("orders"), wild("id"), lit("status")}, "POST /orders/{id}/status"},
		{"M-SEARCH /a", "M-SEARCH", []segment{lit("a")}, "M-SEARCH /a"},
		{"/{rest...}", "", []segment{rest("rest")}, "/{rest...}"},
		{"/{a}/{b...}", "", []segment{wild("a"), rest("b")}, "/{a}/{b...}"},
		{"/{type}/{_}/{größe}", "", []segment{wild("type"), wild("_"), wild("größe")}, "/{type}/{_}/{größe}"},
		{"/a%2fb", "", []segment{lit("a/b")}, "/a%2Fb"},
		{"/%41%25%7B%7d%20%3f%23", "", []segment{lit("A%{} ?#")}, "/A%25%7B%7D%20%3F%23"},
		{"/caf%C3%A9/café", "", []segment{lit("café"), lit("café")}, "/café/café"},
		{"/%00%0a%c2%85%7f", "", []segment{lit("\x00\n\u0085\x7f")}, "/%00%0A%C2%85%7F"},
		{"/%ff%C3©", "", []segment{lit("\xff\xc3©")}, "/%FF%C3©"},
		{"/a:b*c;d,e&f=g", "", []segment{lit("a:b*c;d,e&f=g")}, "/a:b*c;d,e&f=g"},
		{"/.../.a/..b", "", []segment{lit("..."), lit(".a"), lit("..b")}, "/.../.a/..b"},
		{strings.Repeat("/a", 32), "", slicesOf(lit("a"), 32), strings.Repeat("/a", 32)},
		{strings.Repeat("/a", 32) + "/", "", slicesOf(lit("a"), 32), strings.Repeat("/a", 32)},
	} {
		p, err := parsePattern(tt.in)
		if err != nil {
			t.Errorf("parsePattern(%q): %v", tt.in, err)
			continue
		}
		if p.method != tt.method || !reflect.DeepEqual(p.segs, tt.segs) {
			t.Errorf("parsePattern(%q) = %q %v, want %q %v", tt.in, p.method, p.segs, tt.method, tt.segs)
		}
		if got := p.String(); got != tt.str {
			t.Errorf("parsePattern(%q).String() = %q, want %q", tt.in, got, tt.str)
		}
	}
}

func slicesOf(s segment, n int) []segment {
	segs := make([]segment, n)
	for i := range segs {
		segs[i] = s
	}
	return segs
}

func TestPatternParseErrors(t *testing.T) {
	for _, tt := range []struct {
		in     string
		offset int
		reason string // a part of it
	}{
		{"", 0, "empty"},
		{"orders", 0, "no path"},
		{"orders/create", 0, "no host"},
		{"example.com/a", 0, "no host"},
		{"GET", 0, "no path"},
		{" /a", 0, "space"},
		{"GET ", 4, "must follow"},
		{"GET  a", 5, "must follow"},
		{"GET example.com/a", 4, "must follow"},
		{"get /a", 0, `write "GET"`},
		{"GeT /a", 1, `write "GET"`},
		{"G/T /a", 1, "method"},
		{"GET: /a", 3, "method"},
		{"GET\n/a", 0, "no host"},
		{"//", 1, "one slash"},
		{"/a//b", 3, "one slash"},
		{"/a//", 3, "one slash"},
		{"GET //a", 5, "one slash"},
		{"/a/./b", 3, "dot segment"},
		{"/a/..", 3, "dot segment"},
		{"/%2e", 1, "dot segment"},
		{"/a/.%2E/b", 3, "dot segment"},
		{"/a b", 2, "write %20"},
		{"GET /a ", 6, "write %20"},
		{"/a\tb", 2, "write %09"},
		{"/a\x00", 2, "write %00"},
		{"/a\u0085", 2, "write %C2%85"},
		{"/a\xff", 2, "%FF"},
		{"\xff /a", 0, "UTF-8"},
		{"/a?x=1", 2, "write %3F"},
		{"/a#x", 2, "write %23"},
		{"/a}", 2, "write %7D"},
		{"/a%", 2, "write %25"},
		{"/a%2", 2, "write %25"},
		{"/a%zz/b", 2, "write %25"},
		{"/a{b}", 2, "whole segment"},
		{"/{b}a", 1, "whole segment"},
		{"/{b", 1, "whole segment"},
		{"/{a}{b}", 1, "whole segment"},
		{"/{", 1, "whole segment"},
		{"/{}", 2, "identifier"},
		{"/{...}", 2, "identifier"},
		{"/{1a}", 2, "identifier"},
		{"/{a-b}", 2, "identifier"},
		{"/{a b}", 2, "identifier"},
		{"/{a.}", 2, "identifier"},
		{"/{a....}", 2, "identifier"},
		{"/{a%41}", 2, "identifier"},
		{"/{$a}", 2, "identifier"},
		{"/{$...}", 2, "identifier"},
		{"/{$}/a", 4, "must end"},
		{"/{$}/", 4, "must end"},
		{"/{r...}/a", 7, "must end"},
		{"/{r...}/", 7, "must end"},
		{"/{a}/b/{a}", 7, "name of its own"},
		{"/{a}/{a...}", 5, "name of its own"},
		{"/" + strings.Repeat("a", 512), 512, "at most 512"},
		{strings.Repeat("/a", 33), 65, "32 segments"},
		{"/" + strings.Repeat("a", 200), 0, "201 bytes, at most 200"},
		{"POST /" + strings.Repeat("é", 40), 5, "246 bytes, at most 200"},
	} {
		p, err := parsePattern(tt.in)
		var pe *PatternError
		if !errors.As(err, &pe) {
			t.Errorf("parsePattern(%q) = %v, %v, want a PatternError", tt.in, p, err)
			continue
		}
		if pe.Pattern != tt.in || pe.Offset != tt.offset || !strings.Contains(pe.Reason, tt.reason) {
			t.Errorf("parsePattern(%q): offset %d, %q, want %d, %q", tt.in, pe.Offset, pe.Reason, tt.offset, tt.reason)
		}
	}
}

func TestPatternErrorText(t *testing.T) {
	_, err := parsePattern("POST /orders/{id}.json")
	const want = `webhook: bad pattern "POST /orders/{id}.json" at offset 13: ` +
		`a wildcard fills a whole segment, like "/{name}"; write %7B for the character "{" itself`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	_, err = parsePattern(strings.Repeat("/a", 1<<20))
	if n := len(err.Error()); n > 700 {
		t.Errorf("the error for a long pattern has %d bytes", n)
	}
}

func mustParse(tb testing.TB, s string) *pattern {
	tb.Helper()
	p, err := parsePattern(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// randomPattern returns a pattern over an alphabet so small that two of them
// often have to do with each other.
func randomPattern(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteString([]string{"GET ", "HEAD ", "POST ", "PUT "}[r.IntN(4)])
	}
	names := []string{"w", "x", "y", "z"}
	for i := range r.IntN(5) {
		switch n := r.IntN(10); {
		case n < 4:
			b.WriteString("/{" + names[i] + "}")
		case n < 5:
			b.WriteString("/{rest...}")
			return b.String()
		default:
			b.WriteString("/" + []string{"a", "b", "a%2Fb", "%41", "w"}[r.IntN(5)])
		}
	}
	if !strings.Contains(b.String(), "/") {
		b.WriteString("/")
	}
	return b.String()
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{
		"/", "/a/", "/{$}", "GET /a/{b}/{c...}", "POST\t /a%2fb", "/%ff%C3©", "/{größe}", "/%00é",
		"", "/a//b", "/..", "/{", "/%", "get /", "/" + strings.Repeat("%41", 199), "/{a}/{a}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePattern(s)
		if err != nil {
			var pe *PatternError
			if !errors.As(err, &pe) || pe.Pattern != s || pe.Reason == "" || pe.Offset < 0 || pe.Offset > len(s) {
				t.Fatalf("parsePattern(%q): %#v", s, err)
			}
			return
		}
		str := p.String()
		if len(str) > len(s) || !utf8.ValidString(str) {
			t.Fatalf("String of %q = %q", s, str)
		}
		q, err := parsePattern(str)
		if err != nil {
			t.Fatalf("String of %q = %q, which does not parse: %v", s, str, err)
		}
		if q.String() != str || !reflect.DeepEqual(p, q) {
			t.Fatalf("%q parses as %#v, its String %q as %#v", s, p, str, q)
		}
		checkQueueName(t, p)
		if p.queueName() != q.queueName() {
			t.Fatalf("queue name of %q = %q, of its String %q", s, p.queueName(), q.queueName())
		}
		if rel := relate(p, q); rel != equivalent {
			t.Fatalf("%q and its String: relation %d", s, rel)
		}
	})
}

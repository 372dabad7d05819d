package webhook

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestTreeMatch(t *testing.T) {
	tr := newTree(
		t, "/", "/a", "POST /a", "GET /a/b", "HEAD /a/b", "/a/{x}", "/a/{x}/c", "/a/b/d", "/a/{rest...}",
		"GET /files/{dir}/{rest...}", "/e%2Ff", "/e/f", "/caf%C3%A9/{größe}", "/x/{a}/y/{b}",
	)
	for _, tt := range []struct {
		method, path string
		want         string // "" for no match
		params       string
	}{
		{"GET", "/", "/", ""},
		{"", "/", "/", ""},
		{"GET", "/a", "/a", ""},
		{"", "/a", "/a", ""},
		{"GET", "/a/", "/a", ""},
		{"POST", "/a", "POST /a", ""},
		{"POST", "/a/", "POST /a", ""},
		{"post", "/a", "/a", ""},
		{"GET", "/a/b", "GET /a/b", ""},
		{"HEAD", "/a/b", "HEAD /a/b", ""},
		{"PUT", "/a/b", "/a/{x}", "x=b"},
		{"PUT", "/a/z/", "/a/{x}", "x=z"},
		{"PUT", "/a/b/c", "/a/{x}/c", "x=b"}, // backtracks from /a/b
		{"PUT", "/a/b/d", "/a/b/d", ""},
		{"PUT", "/a/b/e", "/a/{rest...}", "rest=b/e"},
		{"PUT", "/a/b/e/f/", "/a/{rest...}", "rest=b/e/f"},
		{"GET", "/files", "", ""},
		{"GET", "/files/d", "GET /files/{dir}/{rest...}", "dir=d rest="},
		{"GET", "/files/d/", "GET /files/{dir}/{rest...}", "dir=d rest="},
		{"HEAD", "/files/d/e", "GET /files/{dir}/{rest...}", "dir=d rest=e"},
		{"POST", "/files/d/e", "", ""},
		{"GET", "/e/f", "/e/f", ""},
		{"GET", "/e%2Ff", "/e%2Ff", ""},
		{"GET", "/e%2ff", "/e%2Ff", ""},
		{"GET", "/%65/%66", "/e/f", ""},
		{"GET", "/%61", "/a", ""},
		{"GET", "/a/%62%2F%20", "/a/{x}", "x=b/ "},
		{"GET", "/a/1%2F2/3%2F4", "/a/{rest...}", "rest=1/2/3/4"},
		{"GET", "/caf%C3%A9/xl", "/caf%C3%A9/{größe}", "größe=xl"},
		{"GET", "/café/xl", "/caf%C3%A9/{größe}", "größe=xl"},
		{"GET", "/x/1/y/2", "/x/{a}/y/{b}", "a=1 b=2"},
		{"GET", "/a/+", "/a/{x}", "x=+"},
		{"GET", "/a/...", "/a/{x}", "x=..."},
		{"GET", "/nope", "", ""},
		{"GET", "/A", "", ""},
		{"GET", "", "", ""},
		{"GET", "a", "", ""},
		{"GET", "//", "", ""},
		{"GET", "//a", "", ""},
		{"GET", "/a//", "", ""},
		{"GET", "/a//b", "", ""},
		{"GET", "/a/./b", "", ""},
		{"GET", "/a/..", "", ""},
		{"GET", "/a/../", "", ""},
		{"GET", "/a/%2e%2E/b", "", ""},
		{"GET", "/a/b/c/d/%2e", "", ""},
		{"GET", "/a/%", "", ""},
		{"GET", "/a/b/%zz", "", ""},
	} {
		v, ps, ok := tr.match(tt.method, tt.path)
		if v != tt.want || ok != (tt.want != "") {
			t.Errorf("match(%q, %q) = %q, %v, want %q", tt.method, tt.path, v, ok, tt.want)
			continue
		}
		if got := paramString(ps); got != tt.params {
			t.Errorf("match(%q, %q): params %q, want %q", tt.method, tt.path, got, tt.params)
		}
	}
}

func TestTreeMethods(t *testing.T) {
	tr := newTree(t, "GET /a", "POST /a", "PUT /{x}", "POST /b/{rest...}", "HEAD /b", "/c/d", "LINK /c/d", "POST /d/{x}")
	anyMethod := "CONNECT DELETE GET HEAD LINK OPTIONS PATCH POST PUT TRACE"
	for path, want := range map[string]string{
		"/a": "GET HEAD POST PUT", "/a/": "GET HEAD POST PUT", "/%61": "GET HEAD POST PUT",
		"/z": "PUT", "/b": "HEAD POST PUT", "/b/c": "POST", "/c/d": anyMethod,
		"/d/1": "POST", "/": "", "/d/1/2": "", "/a//": "", "": "", "/b/..": "",
	} {
		if got := strings.Join(tr.methods(path), " "); got != want {
			t.Errorf("methods(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestTreeMatchConcurrently(t *testing.T) {
	tr := newTree(t, "/a/{x}", "GET /a/b", "/c/{rest...}")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1_000 {
				if _, ps, ok := tr.match("PUT", "/a/%41"); !ok || ps.get("x") != "A" {
					t.Error("no match")
				}
				tr.methods("/c/d")
			}
		})
	}
	wg.Wait()
}

func TestTreeMatchAllocations(t *testing.T) {
	tr := newTree(t, "GET /a/b/c", "/a/{x}/d", "/f/{rest...}")
	for _, path := range []string{"/a/b/c", "/a/b/d", "/f/1/2/3", "/nope", "/a//"} {
		n := testing.AllocsPerRun(100, func() {
			_, ps, _ := tr.match("GET", path)
			ps.get("x")
		})
		if n != 0 {
			t.Errorf("match(%q) allocates %v times", path, n)
		}
	}
}

// naiveMatch decodes path and compares it with p segment by segment.
func naiveMatch(p *pattern, method, path string) (values map[string]string, ok bool) {
	if p.method != "" && p.method != method && (p.method != "GET" || method != "HEAD") {
		return nil, false
	}
	if !strings.HasPrefix(path, "/") {
		return nil, false
	}
	var parts []string
	if path != "/" {
		for part := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
			text, err := url.PathUnescape(part)
			if err != nil || text == "" || text == "." || text == ".." {
				return nil, false
			}
			parts = append(parts, text)
		}
	}
	values = make(map[string]string)
	for i, s := range p.segs {
		switch {
		case s.kind == segRest:
			if i > len(parts) {
				return nil, false
			}
			values[s.text] = strings.Join(parts[i:], "/")
			return values, true
		case i >= len(parts), s.kind == segLiteral && s.text != parts[i]:
			return nil, false
		case s.kind == segWild:
			values[s.text] = parts[i]
		}
	}
	return values, len(parts) == len(p.segs)
}

func FuzzTreeMatch(f *testing.F) {
	f.Add("/\n/a\nGET /a/{x}\n/a/{x}/c\n/a/b/d\n/a/{rest...}", "GET", "/a/b/c")
	f.Add("GET /{x}\nPOST /{x}\n/{rest...}", "HEAD", "/%61/")
	f.Add("/a%2Fb\n/a/b", "", "/a%2fb")
	f.Add("/{rest...}", "GET", "/a/%2e./b")
	f.Add("/a", "GET", "//")
	f.Fuzz(func(t *testing.T, patterns, method, path string) {
		var tr tree[*pattern]
		var added []*pattern
		for s := range strings.SplitSeq(patterns, "\n") {
			p, err := parsePattern(s)
			if err != nil {
				continue
			}
			clash := slices.ContainsFunc(added, func(q *pattern) bool { return conflict(p, q) != "" })
			if err := tr.add(p, p); (err != nil) != clash {
				t.Fatalf("add(%q): %v, conflict: %v", p, err, clash)
			} else if err == nil {
				added = append(added, p)
			}
		}
		var want *pattern
		var values map[string]string
		for _, p := range added {
			if vs, ok := naiveMatch(p, method, path); ok && (want == nil || relate(p, want) == moreSpecific) {
				want, values = p, vs
			}
		}
		got, ps, ok := tr.match(method, path)
		if got != want || ok != (want != nil) {
			t.Fatalf("match(%q, %q) = %v, want %v", method, path, got, want)
		}
		if pv := maps.Collect(ps.all()); ok && !maps.Equal(pv, values) {
			t.Fatalf("match(%q, %q): params %q, want %q", method, path, pv, values)
		}
		if ms := tr.methods(path); ok && len(ms) == 0 || !slices.IsSorted(ms) {
			t.Fatalf("methods(%q) = %q, match: %v", path, ms, ok)
		}
	})
}

func BenchmarkTreeMatch(b *testing.B) {
	var tr tree[int]
	for i := range 1_000 {
		s := fmt.Sprintf([]string{
			"POST /svc%d/orders/create", "/svc%d/orders/{id}/status", "GET /svc%d/orders/{id}", "/svc%d/files/{rest...}",
		}[i%4], i/4)
		if err := tr.add(mustParse(b, s), i); err != nil {
			b.Fatal(err)
		}
	}
	for _, bb := range []struct {
		name, method, path string
		ok                 bool
	}{
		{"literal", "POST", "/svc100/orders/create", true},
		{"wildcard", "POST", "/svc100/orders/create/status", true},
		{"rest", "GET", "/svc100/files/2026/01/report.pdf", true},
		{"escaped", "GET", "/svc100/orders/a%2Fb", true},
		{"miss", "GET", "/svc100/customers/42", false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, ps, ok := tr.match(bb.method, bb.path)
				if ok != bb.ok {
					b.Fatal("match:", ok)
				}
				ps.get("id")
			}
		})
	}
}

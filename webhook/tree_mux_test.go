package webhook

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// randomTable adds random patterns to a tree and, as long as neither refuses
// one, to a ServeMux. It checks that they refuse the same.
func randomTable(t *testing.T, r *rand.Rand, seen *muxResult) (*tree[string], *http.ServeMux) {
	t.Helper()
	var tr tree[string]
	mux := http.NewServeMux()
	for range 1 + r.IntN(12) {
		p := mustParse(t, randomPattern(r))
		err := tr.add(p, p.String())
		var refused any
		func() {
			defer func() { refused = recover() }()
			mux.HandleFunc(muxPattern(p), func(_ http.ResponseWriter, req *http.Request) {
				seen.pattern = p.String()
				for _, s := range p.segs {
					if s.kind != segLiteral {
						value := req.PathValue(s.text)
						if s.kind == segRest {
							value = strings.TrimSuffix(value, "/")
						}
						seen.params = append(seen.params, s.text+"="+value)
					}
				}
			})
		}()
		if (err != nil) != (refused != nil) {
			t.Fatalf("add(%q): %v, ServeMux: %v", p, err, refused)
		}
	}
	return &tr, mux
}

type muxResult struct {
	pattern string
	params  []string
}

func TestTreeMatchLikeServeMux(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	hits, refusals := 0, 0
	for range 2_000 {
		var seen muxResult
		tr, mux := randomTable(t, r, &seen)
		for range 10 {
			method := []string{"GET", "HEAD", "POST", "PUT", "DELETE"}[r.IntN(5)]
			path := ""
			for range r.IntN(5) {
				path += "/" + []string{"a", "b", "a%2Fb", "A", "%61", "c", "w"}[r.IntN(7)]
			}
			seen = muxResult{}
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, httptest.NewRequest(method, path+"/", nil))

			if path == "" || r.IntN(2) == 0 {
				path += "/"
			}
			v, ps, ok := tr.match(method, path)
			if v != seen.pattern || ok != (seen.pattern != "") || paramString(ps) != strings.Join(seen.params, " ") {
				t.Fatalf("match(%q, %q) = %q, %q, ServeMux: %q, %q", method, path, v, paramString(ps), seen.pattern, seen.params)
			}
			if ok {
				hits++
				if ms := tr.methods(path); !slices.Contains(ms, method) {
					t.Fatalf("%q matches %q, but methods = %q", method, path, ms)
				}
				continue
			}
			if rec.Code == http.StatusMethodNotAllowed {
				refusals++
			}
			if got, want := strings.Join(tr.methods(path), ", "), rec.Header().Get("Allow"); got != want {
				t.Fatalf("methods(%q) = %q, ServeMux: %q", path, got, want)
			}
		}
	}
	if hits < 5_000 || refusals < 1_000 {
		t.Errorf("%d matches and %d refused methods: the sample proves little", hits, refusals)
	}
}

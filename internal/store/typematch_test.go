package store

import (
	"strings"
	"testing"
)

func TestTypeMatches(t *testing.T) {
	types := []string{"", "a", "b", "a.b", "b.a", "a.a", "a.b.a", "a.b.c", "a.a.b.a.b", "b.b.b.a"}
	for pattern, want := range map[string]string{
		"#":           ",a,b,a.b,b.a,a.a,a.b.a,a.b.c,a.a.b.a.b,b.b.b.a",
		"#.#":         ",a,b,a.b,b.a,a.a,a.b.a,a.b.c,a.a.b.a.b,b.b.b.a",
		"*":           "a,b",
		"#.*":         "a,b,a.b,b.a,a.a,a.b.a,a.b.c,a.a.b.a.b,b.b.b.a",
		"a":           "a",
		"a.#":         "a,a.b,a.a,a.b.a,a.b.c,a.a.b.a.b",
		"a.*":         "a.b,a.a",
		"#.a":         "a,b.a,a.a,a.b.a,b.b.b.a",
		"#.a.b.#":     "a.b,a.b.a,a.b.c,a.a.b.a.b",
		"#.a.#.b":     "a.b,a.a.b.a.b",
		"*.#.*":       "a.b,b.a,a.a,a.b.a,a.b.c,a.a.b.a.b,b.b.b.a",
		"a.*.*.#.b":   "a.a.b.a.b",
		"#.b.*.a":     "b.b.b.a",
		"#.a.#.a.#.a": "",
	} {
		var got []string
		for _, typ := range types {
			var words []string
			if typ != "" {
				words = strings.Split(typ, ".")
			}
			if TypeMatches(strings.Split(pattern, "."), words) {
				got = append(got, typ)
			}
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s matches %q, want %q", pattern, strings.Join(got, ","), want)
		}
	}
}

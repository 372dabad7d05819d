package webhook

import (
	"strings"
	"testing"
)

func paramString(ps params) string {
	var parts []string
	for n, v := range ps.all() {
		parts = append(parts, n+"="+v)
	}
	return strings.Join(parts, " ")
}

func TestTreeParams(t *testing.T) {
	_, ps, ok := newTree(t, "/{a}/b/{c...}").match("", "/1%2F2/b/3/4")
	if !ok {
		t.Fatal("no match")
	}
	for name, want := range map[string]string{"a": "1/2", "c": "3/4", "b": "", "": ""} {
		if got := ps.get(name); got != want {
			t.Errorf("get(%q) = %q, want %q", name, got, want)
		}
	}
	for n := range ps.all() {
		if n != "a" {
			t.Errorf("all went on to %q after a break", n)
		}
		break
	}
	var zero params
	if zero.get("a") != "" || paramString(zero) != "" {
		t.Error("the zero params are not empty")
	}
}

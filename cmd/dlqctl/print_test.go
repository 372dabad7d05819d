package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ in, inline, block string }{
		{"plain äöü 日本 👍", "plain äöü 日本 👍", "plain äöü 日本 👍"},
		{"two\nlines\tand a tab", `two\nlines\tand a tab`, "two\nlines\tand a tab"},
		{"dos\r\nlines", `dos\r\nlines`, "dos\nlines"},
		{"over\rwritten", `over\rwritten`, `over\rwritten`},
		{"\x1b[31mred\x1b]0;title\a", `\x1b[31mred\x1b]0;title\a`, `\x1b[31mred\x1b]0;title\a`},
		{"c1 \u009b31m", `c1 \u009b31m`, `c1 \u009b31m`},
		{"del \x7f", `del \x7f`, `del \x7f`},
		{"invalid \xff\xfe", `invalid \xff\xfe`, `invalid \xff\xfe`},
		{"evil \u202eedoc", `evil \u202eedoc`, `evil \u202eedoc`},
		{"line\u2028sep", `line\u2028sep`, `line\u2028sep`},
		{`a \ and a "quote"`, `a \ and a "quote"`, `a \ and a "quote"`},
	} {
		if got := inline(c.in); got != c.inline {
			t.Errorf("inline(%q) = %s, want %s", c.in, got, c.inline)
		}
		if got := block(c.in); got != c.block {
			t.Errorf("block(%q) = %s, want %s", c.in, got, c.block)
		}
	}
}

func TestJSONMeansTheSameWhenItIsHarmless(t *testing.T) {
	const text = "\x1b[31m \x7f \u009b \u202e \u2028 \U000e0001 日本 <&>"
	var b bytes.Buffer
	c := call{out: bufio.NewWriter(&b)}
	if err := c.printJSON(text); err != nil {
		t.Fatal(err)
	}
	_ = c.out.Flush()
	if want := `"\u001b[31m \u007f \u009b \u202e \u2028 \udb40\udc01 日本 <&>"` + "\n"; b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
	var back string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != text {
		t.Errorf("%q, %v", back, err)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("\x1b[31m\u009b\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if once, twice := inline(s), inline(inline(s)); once != twice {
			t.Errorf("%q is not safe", once)
		}
	})
}

func TestTableCutsItsLastColumn(t *testing.T) {
	for _, c := range []struct {
		width int
		last  string
	}{
		{200, "0123456789012345678901234567890123456789"},
		{40, "01234567890123456789012345678901…"},
		{10, "01234567890123456789012…"}, // no narrower than minLast
	} {
		tab := table{head: []string{"A", "B"}}
		tab.add("12345", "0123456789012345678901234567890123456789")
		tab.cutLast(c.width)
		if got := tab.rows[0][1]; got != c.last {
			t.Errorf("width %d: %s, want %s", c.width, got, c.last)
		}
	}
}

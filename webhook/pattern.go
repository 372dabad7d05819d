package webhook

import (
	"fmt"
	"unicode/utf8"
)

// The bounds of a pattern. They are far above what a person writes; they keep
// a pattern that comes from elsewhere, such as the route table, from costing
// more than a few hundred bytes and a few dozen tree levels.
const (
	maxPatternBytes    = 512
	maxPatternSegments = 32
)

// A PatternError says why a path pattern was refused and where in it the
// mistake is.
type PatternError struct {
	// Pattern is the refused pattern, as it was given.
	Pattern string
	// Reason names the mistake and what to write instead.
	Reason string
	// Offset is the byte of Pattern at which the mistake was found.
	Offset int
}

// Error returns the pattern, the place and the reason in one line.
func (e *PatternError) Error() string {
	shown := e.Pattern
	if len(shown) > maxPatternBytes {
		shown = shown[:maxPatternBytes] + "..."
	}
	return fmt.Sprintf("webhook: bad pattern %q at offset %d: %s", shown, e.Offset, e.Reason)
}

// A pattern is a parsed path pattern: a set of (method, path) pairs.
//
// Trailing slashes are gone, escapes are decoded, and "{$}" has vanished, so
// two patterns match the same requests exactly if they differ in nothing but
// the names of their wildcards.
type pattern struct {
	method string // "" for any method
	// segs is empty for the root. A segRest can only be the last one.
	segs []segment
}

// A segment is what stands between two slashes of a pattern.
type segment struct {
	kind segmentKind
	text string // the decoded literal, or the wildcard's name
}

// segmentKind is ordered from specific to general: where two segments can
// match the same text, the one of the lower kind is the more specific.
type segmentKind uint8

const (
	segLiteral segmentKind = iota // text, itself
	segWild                       // {name}, one segment
	segRest                       // {name...}, any number of segments, also none
)

// String returns the pattern in its normal form: the method and one space if
// there is a method, then the path. Parsing it gives an equal pattern. It is
// never longer than what was parsed, so it is within the bounds, too.
func (p *pattern) String() string {
	return p.join(func(b []byte, s segment) []byte {
		switch s.kind {
		case segWild:
			return fmt.Appendf(b, "{%s}", s.text)
		case segRest:
			return fmt.Appendf(b, "{%s...}", s.text)
		}
		return appendLiteral(b, s.text)
	})
}

// join puts the method and the segments, as each writes them, together.
func (p *pattern) join(each func(b []byte, s segment) []byte) string {
	var b []byte
	if p.method != "" {
		b = append(b, p.method...)
		b = append(b, ' ')
	}
	if len(p.segs) == 0 {
		b = append(b, '/')
	}
	for _, s := range p.segs {
		b = each(append(b, '/'), s)
	}
	return string(b)
}

// appendLiteral appends a decoded literal as one writes it in a pattern or a path.
func appendLiteral(b []byte, text string) []byte {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || mustEscape(r) {
			b = appendHex(b, text[i:i+size])
		} else {
			b = append(b, text[i:i+size]...)
		}
		i += size
	}
	return b
}

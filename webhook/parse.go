package webhook

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parsePattern parses a pattern of the form
//
//	[METHOD ]/path
//
// as [net/http.ServeMux] does, with these differences:
//   - There is no host.
//   - A trailing slash means nothing: "/a/" is "/a", not the subtree below it.
//     "/a/{$}" is "/a" as well, and "/a/{rest...}" also matches "/a".
//   - What could only be a mistake is refused: lower-case methods, broken
//     escapes, and characters that no request path contains unescaped.
//
// Every error is a [*PatternError]. A pattern that parses has a queue name
// within the bounds of queue names.
func parsePattern(s string) (*pattern, error) {
	p, bad := parse(s)
	if bad != nil {
		bad.Pattern = s
		return nil, bad
	}
	return p, nil
}

// badAt returns a PatternError that lacks its Pattern.
func badAt(off int, format string, args ...any) *PatternError {
	return &PatternError{Offset: off, Reason: fmt.Sprintf(format, args...)}
}

func parse(s string) (*pattern, *PatternError) {
	if s == "" {
		return nil, badAt(0, `it is empty; write "/" for the root`)
	}
	if len(s) > maxPatternBytes {
		return nil, badAt(maxPatternBytes, "it has %d bytes; write at most %d", len(s), maxPatternBytes)
	}
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			return nil, badAt(i, "byte 0x%02X is not UTF-8; write it as %%%02X", s[i], s[i])
		}
	}
	method, pathOff, bad := parseMethod(s)
	if bad != nil {
		return nil, bad
	}
	p := &pattern{method: method}
	for off := pathOff; off < len(s); {
		off++ // the slash
		end := len(s)
		if i := strings.IndexByte(s[off:], '/'); i >= 0 {
			end = off + i
		}
		raw, last := s[off:end], end == len(s)
		if raw == "" && last {
			break
		}
		seg, bad := parseSegment(raw, off)
		if bad != nil {
			return nil, bad
		}
		if !last && (seg.kind == segRest || seg == endMarker) {
			return nil, badAt(end, "%s must end the pattern; remove what follows it", raw)
		}
		if seg == endMarker {
			break
		}
		if seg.kind != segLiteral && p.hasWildcard(seg.text) {
			return nil, badAt(off, "a wildcard %q came before; give each a name of its own", seg.text)
		}
		if len(p.segs) == maxPatternSegments {
			return nil, badAt(off, "it has more than %d segments; use {rest...} for the remainder", maxPatternSegments)
		}
		p.segs = append(p.segs, seg)
		off = end
	}
	if n := len(p.queueName()); n > maxQueueNameBytes {
		return nil, badAt(pathOff, "its queue name would have %d bytes, at most %d are allowed "+
			"(an escaped byte counts three); shorten the literal segments", n, maxQueueNameBytes)
	}
	return p, nil
}

// parseMethod returns the method, if any, and the offset of the path's slash.
func parseMethod(s string) (method string, pathOff int, bad *PatternError) {
	if s[0] == '/' {
		return "", 0, nil
	}
	end := strings.IndexAny(s, " \t")
	if end < 0 {
		if strings.Contains(s, "/") {
			return "", 0, badAt(0, `a path starts with "/", and there is no host; write "/" first`)
		}
		return "", 0, badAt(0, `it has no path; write a path that starts with "/"`)
	}
	if end == 0 {
		return "", 0, badAt(0, "it starts with a space; remove it")
	}
	method = s[:end]
	for i, r := range method {
		if 'a' <= r && r <= 'z' {
			return "", 0, badAt(i, "methods are upper case; write %q", strings.ToUpper(method))
		}
		if !isMethodChar(r) {
			return "", 0, badAt(i, "%q cannot be part of a method; write one like POST, or none", r)
		}
	}
	pathOff = len(s) - len(strings.TrimLeft(s[end:], " \t"))
	if pathOff == len(s) || s[pathOff] != '/' {
		return "", 0, badAt(pathOff, `a path must follow the method; write "/" here`)
	}
	return method, pathOff, nil
}

// isMethod reports whether a pattern may have the method.
func isMethod(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isMethodChar(r) })
}

// isMethodChar reports whether r may stand in a token of RFC 9110, section
// 5.6.2, and is not lower case.
func isMethodChar(r rune) bool {
	return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// endMarker is what parseSegment returns for "{$}". No wildcard can be
// mistaken for it, because "$" is not an identifier.
var endMarker = segment{segWild, "$"}

const partialWildcard = `a wildcard fills a whole segment, like "/{name}"; write %%7B for the character "{" itself`

// parseSegment parses what stands between two slashes, off bytes into the pattern.
func parseSegment(raw string, off int) (segment, *PatternError) {
	if raw == "" {
		return segment{}, badAt(off, "a segment is empty; write one slash, not two")
	}
	if raw[0] != '{' {
		text, bad := parseLiteral(raw, off)
		return segment{segLiteral, text}, bad
	}
	if strings.IndexByte(raw, '}') != len(raw)-1 {
		return segment{}, badAt(off, partialWildcard)
	}
	if raw == "{$}" {
		return endMarker, nil
	}
	name, isRest := strings.CutSuffix(raw[1:len(raw)-1], "...")
	if !isIdentifier(name) {
		return segment{}, badAt(off+1, "wildcard name %q is not a Go identifier; use letters, digits and _", name)
	}
	if isRest {
		return segment{segRest, name}, nil
	}
	return segment{segWild, name}, nil
}

// isIdentifier allows keywords, unlike [go/token.IsIdentifier]: {type} is too
// good a name to refuse.
func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// parseLiteral decodes a literal segment. Dot segments are refused in any
// spelling, because URL normalization removes "%2e" like ".".
func parseLiteral(raw string, off int) (string, *PatternError) {
	for i, r := range raw {
		switch {
		case r == '%':
			if _, err := url.PathUnescape(raw[i:min(i+3, len(raw))]); err != nil {
				return "", badAt(off+i, "two hex digits must follow %%; write %%25 for the character itself")
			}
		case r == '{':
			return "", badAt(off+i, partialWildcard)
		case mustEscape(r):
			return "", badAt(off+i, "%q cannot stand for itself in a path; write %s", r, appendHex(nil, string(r)))
		}
	}
	text := unescape(raw)
	if text == "." || text == ".." {
		return "", badAt(off, "%q is a dot segment, which no request path has; remove it", raw)
	}
	return text, nil
}

// mustEscape reports whether r is allowed in a literal segment only as an
// escape: it means something else in a pattern or in a URL, or it is invisible.
func mustEscape(r rune) bool {
	return unicode.IsControl(r) || strings.ContainsRune("%/{}?# ", r)
}

func (p *pattern) hasWildcard(name string) bool {
	for _, s := range p.segs {
		if s.kind != segLiteral && s.text == name {
			return true
		}
	}
	return false
}

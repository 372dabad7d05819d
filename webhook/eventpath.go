package webhook

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An eventPath is the path of an event, or a pattern of such paths. Its last segment is
// the event's type, and what comes before it names the topic: "/shop/events/order.paid"
// is an event "order.paid" of the topic "shop/events".
type eventPath struct {
	topic []string // segments, decoded
	words []string // of the type; in a pattern "*" is any one, and "#" any number of them
}

// The bounds of an event's path.
const (
	maxTypeBytes = 256 // as leanmq.Type has it
	maxTypeWords = 16  // of a pattern
)

// parseEventPath parses the path of an event, or a pattern where wild is true. Every error
// is a [*PatternError].
func parseEventPath(s string, wild bool) (eventPath, error) {
	p, bad := parseEvent(s, wild)
	if bad != nil {
		bad.Pattern = s
		return eventPath{}, bad
	}
	return p, nil
}

func parseEvent(s string, wild bool) (p eventPath, bad *PatternError) {
	switch {
	case s == "":
		return p, badAt(0, "it is empty; write /topic/type, such as /events/order.created")
	case s[0] != '/':
		return p, badAt(0, `it must begin with "/": events have no method`)
	case len(s) > maxPatternBytes:
		return p, badAt(maxPatternBytes, "it has %d bytes; write at most %d", len(s), maxPatternBytes)
	}
	raw := strings.Split(strings.TrimSuffix(s[1:], "/"), "/")
	if len(raw) < 2 {
		return p, badAt(0, "it has one segment; write the topic before the type, such as /events/order.created")
	}
	if len(raw) > maxPatternSegments {
		return p, badAt(0, "it has %d segments; write at most %d", len(raw), maxPatternSegments)
	}
	off := 1
	for _, seg := range raw[:len(raw)-1] {
		text, bad := parseTopicSegment(seg, off)
		if bad != nil {
			return p, bad
		}
		p.topic = append(p.topic, text)
		off += len(seg) + 1
	}
	if n := len(p.topicName()); n > maxQueueNameBytes {
		return p, badAt(0, "its topic's name would have %d bytes, at most %d are allowed (an escaped byte counts three)", n, maxQueueNameBytes)
	}
	p.words, bad = parseType(raw[len(raw)-1], off, wild)
	return p, bad
}

func parseTopicSegment(raw string, off int) (string, *PatternError) {
	switch {
	case raw == "":
		return "", badAt(off, "a segment is empty; write one slash, not two")
	case strings.ContainsAny(raw, "*#{}"):
		return "", badAt(off, "only the last segment of a pattern is open, as in order.* or order.#")
	case !utf8.ValidString(raw):
		return "", badAt(off, "it is not UTF-8")
	}
	return parseLiteral(raw, off)
}

func parseType(raw string, off int, wild bool) ([]string, *PatternError) {
	text, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return nil, badAt(off, "two hex digits must follow %%; write %%25 for the character itself")
	case raw == "" || len(text) > maxTypeBytes || !utf8.ValidString(text):
		return nil, badAt(off, "its type has %d bytes; write 1 to %d bytes of UTF-8", len(text), maxTypeBytes)
	}
	words := strings.Split(text, ".")
	if wild && len(words) > maxTypeWords {
		return nil, badAt(off, "its type has %d words; write at most %d, or #", len(words), maxTypeWords)
	}
	for _, w := range words {
		switch {
		case w == "":
			return nil, badAt(off, "its type has an empty word; write words with dots between them, such as order.created")
		case wild && (w == "*" || w == "#"):
		case strings.ContainsAny(w, "*#") && wild:
			return nil, badAt(off, "* and # stand for whole words; write order.* or order.#")
		case strings.ContainsAny(w, "*#"):
			return nil, badAt(off, "* and # are for patterns; write a type such as order.created")
		case strings.ContainsFunc(w, func(r rune) bool {
			return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("?/{}", r)
		}):
			return nil, badAt(off, "its type %q has white space, unprintable characters or any of ?/{}", text)
		}
	}
	return words, nil
}

// topicName is the name of the topic. Two topics have the same name exactly if they have
// the same segments: see [appendName].
func (p eventPath) topicName() string {
	var b []byte
	for i, text := range p.topic {
		if i > 0 {
			b = append(b, '/')
		}
		b = appendName(b, text)
	}
	return string(b)
}

func (p eventPath) typeName() string { return strings.Join(p.words, ".") }

// String returns the path as one writes it.
func (p eventPath) String() string { return p.withType(p.typeName()) }

// withType returns the path of another event of the same topic.
func (p eventPath) withType(typ string) string {
	var b []byte
	for _, text := range p.topic {
		b = appendLiteral(append(b, '/'), text)
	}
	return string(b) + "/" + typ
}

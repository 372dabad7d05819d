package leanmq

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxType bounds types and patterns of them, in bytes, and maxTypes how many patterns
// a group has.
const (
	maxType  = 256
	maxTypes = 64
)

// Type says what kind of event the message is, for the [Types] of groups: one or more
// segments with dots between them, such as "order.created", 256 bytes at most. A
// segment has neither white space nor "*" nor "#".
func Type(name string) SendOption {
	return func(c *sendConfig) {
		if err := checkType("Type", name, false); err != nil {
			c.fail(err)
		}
		c.kind = name
	}
}

// Types makes a group of a topic get only messages whose [Type] one of the patterns
// matches: types in which "*" stands for one segment and "#" for any number of them,
// none included. "order.*" matches "order.created", "order.#" also "order" and
// "order.item.added", and "#" all messages, also those without a type. At most 64
// patterns.
//
// The filter is the group's and kept in Redis: all its consumers go by it, and it is
// replaced when one starts with another one, so that the latest deployment wins. While
// two versions run side by side, an old one that is restarted narrows it again until a
// new one starts: what only the new one wants is passed over meanwhile.
// Without this option it stays what it is; to lift it, pass "#". Messages that do not
// match are done for the group, and counted (see [GroupInfo]): another filter does not
// bring them back, [Group.Seek] does.
func Types(patterns ...string) ConsumeOption {
	return func(c *consumeConfig) {
		all, err := filterOf(patterns)
		if err != nil {
			c.fail(err)
		}
		c.types = &all
	}
}

// filterOf checks patterns; what lets all messages in is no filter.
func filterOf(patterns []string) ([]string, error) {
	if len(patterns) > maxTypes {
		return nil, invalid("Types", "there are %d patterns: at most %d are allowed", len(patterns), maxTypes)
	}
	var all []string
	for _, p := range patterns {
		if err := checkType("Types", p, true); err != nil {
			return nil, err
		}
		if strings.Trim(p, "#.") == "" {
			return nil, nil
		}
		all = append(all, p)
	}
	return all, nil
}

func checkType(field, s string, pattern bool) error {
	if s == "" || len(s) > maxType || !utf8.ValidString(s) {
		return invalid(field, "%.40q has %d bytes: want 1 to %d bytes of UTF-8", s, len(s), maxType)
	}
	for segment := range strings.SplitSeq(s, ".") {
		switch {
		case segment == "":
			return invalid(field, "%q has an empty segment: want order.created", s)
		case pattern && (segment == "*" || segment == "#"):
		case strings.ContainsAny(segment, "*#"):
			if pattern {
				return invalid(field, `%q: "*" and "#" stand for whole segments: want order.* or order.#`, s)
			}
			return invalid(field, `%q has "*" or "#", which are for patterns: want order.created`, s)
		case strings.ContainsFunc(segment, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
			return invalid(field, "%q has white space or unprintable characters: want order.created", s)
		}
	}
	return nil
}

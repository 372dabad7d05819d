package webhook

import (
	"net/url"
	"strings"
)

// trimPath returns the path without its first and its last slash, and whether
// it is one that patterns can match. What it returns is "" for the root, and
// has valid escapes and no empty segments otherwise.
func trimPath(path string) (rest string, ok bool) {
	if path == "/" {
		return "", true
	}
	if path == "" || path[0] != '/' {
		return "", false
	}
	path = strings.TrimSuffix(path[1:], "/")
	for rest, more := path, true; more; {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		// Decoded, because whoever normalizes a URL treats "%2e" like ".".
		switch text, err := url.PathUnescape(seg); {
		case err != nil, text == "", text == ".", text == "..":
			return "", false
		}
	}
	return path, true
}

// cutSegment returns the first segment of a trimmed path and what follows it.
func cutSegment(rest string) (seg, tail string) {
	seg, tail, _ = strings.Cut(rest, "/")
	return seg, tail
}

// unescape decodes a part of a path whose escapes have been checked.
func unescape(s string) string {
	text, _ := url.PathUnescape(s)
	return text
}

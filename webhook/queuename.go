package webhook

import "strings"

// maxQueueNameBytes is the longest name a queue can have.
const maxQueueNameBytes = 200

// queueName returns the name of the queue that backs the pattern.
//
// Two patterns have the same name exactly if they match the same requests:
// each method, literal and kind of wildcard leaves its own mark. The names of
// wildcards leave none, so that a service can rename {id} to {order} in its
// next release and still find its messages.
//
// A name holds only the bytes of [isNameByte], '/', '*' and '%', after a
// method and one space if there is a method. It has none of the characters
// that queue names refuse, and reads like the pattern for ordinary paths:
// "POST /orders/{id}/status" is "POST /orders/*/status", and "/files/{rest...}"
// is "/files/**".
func (p *pattern) queueName() string {
	return p.join(func(b []byte, s segment) []byte {
		switch s.kind {
		case segWild:
			return append(b, '*')
		case segRest:
			return append(b, "**"...)
		}
		return appendName(b, s.text)
	})
}

// appendName appends a literal with every byte escaped that is not safe.
func appendName(b []byte, text string) []byte {
	for i := range len(text) {
		if isNameByte(text[i]) {
			b = append(b, text[i])
		} else {
			b = appendHex(b, text[i:i+1])
		}
	}
	return b
}

// isNameByte reports whether c stands for itself in a queue name. It lists
// what is safe rather than what is not: besides what separates or marks here
// (space, '/', '*', '%') and what a queue name refuses (':', '{', '}', control
// characters), it leaves out all that a shell, a Redis glob or a terminal might
// take for something else.
func isNameByte(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' ||
		strings.IndexByte("-._~+,=@", c) >= 0
}

// appendHex appends every byte of s as a percent sign and two upper-case digits.
func appendHex(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		b = append(b, '%', digits[s[i]>>4], digits[s[i]&0xF])
	}
	return b
}

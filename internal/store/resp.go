package store

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// resp reads a raw reply. Reading streams straight from the bytes costs one
// allocation a reply instead of a dozen a message.
type resp struct {
	b []byte
	i int
}

var errProtocol = errors.New("unexpected reply from redis")

// replyError is an error reply found in a raw one.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError marks it as a server's reply for go-redis' own checks.
func (replyError) RedisError() {}

var _ redis.Error = replyError("")

// rawError is the error that a raw reply is: for go-redis it is a reply like any
// other.
func rawError(b []byte) error {
	if len(b) == 0 || b[0] != '-' {
		return nil
	}
	_, _, err := (&resp{b: b}).header()
	return err
}

// errorOf is a command's error, and that which a raw reply is.
func errorOf(cmd redis.Cmder) error {
	if raw, ok := cmd.(*redis.RawCmd); ok && raw.Err() == nil {
		return rawError(raw.Val())
	}
	return cmd.Err()
}

// header reads a type byte and its number, or an error reply.
func (r *resp) header() (kind byte, n int, err error) {
	start := r.i
	for r.i < len(r.b) && r.b[r.i] != '\r' {
		r.i++
	}
	if r.i+2 > len(r.b) || r.i == start {
		return 0, 0, fmt.Errorf("%w: truncated", errProtocol)
	}
	line := r.b[start:r.i]
	r.i += 2
	switch line[0] {
	case '-':
		return 0, 0, replyError(line[1:])
	case '_':
		return '_', -1, nil
	case '$', '*', '%', ':', '>', '~':
		n, err = atoi(line[1:])
		return line[0], n, err
	}
	return 0, 0, fmt.Errorf("%w: %.20q", errProtocol, line)
}

func atoi(b []byte) (int, error) {
	n := 0
	neg := false
	for i, c := range b {
		if i == 0 && c == '-' {
			neg = true
			continue
		}
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, fmt.Errorf("%w: %.20q is no number", errProtocol, b)
		}
		n = n*10 + int(c-'0')
	}
	if neg {
		n = -n
	}
	return n, nil
}

// array reads the header of an array; nil arrays have length -1.
func (r *resp) array() (int, error) {
	kind, n, err := r.header()
	if err != nil {
		return 0, err
	}
	if kind != '*' && kind != '_' {
		return 0, fmt.Errorf("%w: %q where an array was due", errProtocol, kind)
	}
	if n > len(r.b) { // each element takes more than a byte
		return 0, fmt.Errorf("%w: array of %d", errProtocol, n)
	}
	return n, nil
}

// bulk reads a string; it aliases the reply.
func (r *resp) bulk() ([]byte, error) {
	kind, n, err := r.header()
	if err != nil {
		return nil, err
	}
	if kind == '_' || (kind == '$' && n < 0) {
		return nil, nil
	}
	if kind != '$' || n > len(r.b)-r.i-2 {
		return nil, fmt.Errorf("%w: %q where a string was due", errProtocol, kind)
	}
	s := r.b[r.i : r.i+n : r.i+n]
	r.i += n + 2
	return s, nil
}

// fields reads an array of strings into dst[:0].
func (r *resp) fields(dst [][]byte) ([][]byte, error) {
	n, err := r.array()
	if err != nil {
		return nil, err
	}
	dst = dst[:0]
	for range n {
		s, err := r.bulk()
		if err != nil {
			return nil, err
		}
		dst = append(dst, s)
	}
	return dst, nil
}

// value reads any reply, as go-redis would: of nil the error is redis.Nil, and errors
// within an array are values.
func (r *resp) value() (any, error) {
	if r.i >= len(r.b) {
		return nil, fmt.Errorf("%w: truncated", errProtocol)
	}
	switch r.b[r.i] {
	case '+', ':':
		end := bytes.IndexByte(r.b[r.i:], '\r')
		if end < 0 || r.i+end+2 > len(r.b) {
			return nil, fmt.Errorf("%w: truncated", errProtocol)
		}
		kind, line := r.b[r.i], string(r.b[r.i+1:r.i+end])
		r.i += end + 2
		if kind == '+' {
			return line, nil
		}
		return strconv.ParseInt(line, 10, 64)
	case '$':
		s, err := r.bulk()
		if err == nil && s == nil {
			err = redis.Nil
		}
		if err != nil {
			return nil, err
		}
		return string(s), nil
	}
	n, err := r.array()
	if err == nil && n < 0 {
		err = redis.Nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]any, n)
	for i := range list {
		v, err := r.value()
		var refused replyError
		switch {
		case errors.As(err, &refused):
			v = err
		case err != nil && !errors.Is(err, redis.Nil):
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

// streams reads the reply of XREAD and XREADGROUP, as RESP2 and as RESP3 have
// it, and calls each for every entry. An entry with nil fields was deleted.
func (r *resp) streams(each func(key, id []byte, fields [][]byte) error) error {
	kind, n, err := r.header()
	if err != nil || n < 0 {
		return err
	}
	if kind != '*' && kind != '%' {
		return fmt.Errorf("%w: %q where streams were due", errProtocol, kind)
	}
	for range n {
		if kind == '*' {
			if _, err := r.array(); err != nil {
				return err
			}
		}
		key, err := r.bulk()
		if err != nil {
			return err
		}
		if err := r.entries(func(id []byte, fields [][]byte) error { return each(key, id, fields) }); err != nil {
			return err
		}
	}
	return nil
}

// entries reads an array of entries, as XRANGE returns it.
func (r *resp) entries(each func(id []byte, fields [][]byte) error) error {
	n, err := r.array()
	if err != nil {
		return err
	}
	var fields [][]byte
	for range n {
		if _, err := r.array(); err != nil {
			return err
		}
		id, err := r.bulk()
		if err != nil {
			return err
		}
		if fields, err = r.fields(fields); err != nil {
			return err
		}
		if err := each(id, fields); err != nil {
			return err
		}
	}
	return nil
}

// integer is for replies that hold numbers as text.
func integer(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

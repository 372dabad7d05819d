package store

import (
	"bytes"
	"fmt"
	"slices"
)

// keptBuffer is the size up to which a buffer is kept for further use.
const keptBuffer = 256 << 10

// maxBulk is the largest string there is in Redis, by default.
const maxBulk = 512 << 20

// minRead is the room there is for a read.
const minRead = 4 << 10

// largeReply is the size from which a copy costs more than memory that is larger than
// need be.
const largeReply = 64 << 10

// keep returns one reply for good: messages go on using its memory. A small one is
// copied, and what is small for what it was read to; a large one takes that along, and the
// next one is read to as much, because growing costs more copies than reading.
func (w *wire) keep() ([]byte, error) {
	if w.used == len(w.in) {
		w.in, w.used = w.in[:0], 0
		if n := cap(w.in); n < w.size || n > max(keptBuffer, 2*w.size) {
			w.in = make([]byte, 0, w.size)
		}
	}
	reply, err := w.reply()
	if err != nil {
		return nil, err
	}
	w.size = max(len(reply)+minRead, w.size-w.size/4)
	if len(reply) < largeReply || len(reply) < cap(w.in)/2 {
		return bytes.Clone(reply), nil
	}
	w.in, w.used = bytes.Clone(w.in[w.used:]), 0
	return reply, nil
}

// next returns one reply, which lasts until the next call.
func (w *wire) next() ([]byte, error) {
	if w.used == len(w.in) {
		w.in, w.used = w.in[:0], 0
		if cap(w.in) > keptBuffer {
			w.in = nil
		}
	}
	return w.reply()
}

func (w *wire) reply() ([]byte, error) {
	start := w.used
	end, err := w.await(&w.in, start)
	if err != nil {
		return nil, err
	}
	w.used = end
	return w.in[start:end:end], nil
}

// await reads until there is a reply in b from at on, and returns the end of that.
func (w *wire) await(b *[]byte, at int) (end int, err error) {
	s := scan{at: at, missing: 1}
	for {
		end, more, err := s.next(*b)
		if err != nil || more == 0 {
			return end, err
		}
		if cap(*b)-len(*b) < more {
			*b = slices.Grow(*b, max(more, minRead))
		}
		n, err := w.conn.Read((*b)[len(*b):cap(*b)])
		*b = (*b)[:len(*b)+n]
		if err != nil && n == 0 {
			return 0, err
		}
	}
}

// scan looks for the end of a reply while it arrives.
type scan struct {
	at      int // all before it is known
	missing int // values after that
}

// next returns the end of the reply, or how many bytes are missing at least.
func (s *scan) next(b []byte) (end, more int, err error) {
	for s.missing > 0 {
		size := bytes.IndexByte(b[s.at:], '\n')
		if size < 0 {
			return 0, 1, nil
		}
		line, after := bytes.TrimSuffix(b[s.at:s.at+size], []byte{'\r'}), s.at+size+1
		kind := byte(0)
		if len(line) > 0 {
			kind = line[0]
		}
		switch kind {
		case '$', '*':
			n, err := atoi(line[1:])
			if err != nil || n > maxBulk {
				return 0, 0, fmt.Errorf("%w: %.20q", errProtocol, line)
			}
			if kind == '*' {
				s.missing += max(n, 0)
			} else if n >= 0 {
				after += n + len("\r\n")
			}
		case '+', '-', ':':
		default:
			return 0, 0, fmt.Errorf("%w: %.20q", errProtocol, line)
		}
		if after > len(b) {
			return 0, after - len(b), nil
		}
		s.at = after
		s.missing--
	}
	return s.at, 0, nil
}

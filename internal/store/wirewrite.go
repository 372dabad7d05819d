package store

import (
	"fmt"
	"strconv"
)

// add adds a command to those that flush sends. What fills a buffer is sent already.
func (w *wire) add(args []any) error {
	w.out = appendHead(w.out, '*', len(args))
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			w.out = append(append(appendHead(w.out, '$', len(v)), v...), crlf...)
		case []byte:
			if err := w.addBytes(v); err != nil {
				return err
			}
		case int:
			w.out = appendNumber(w.out, int64(v))
		case int64:
			w.out = appendNumber(w.out, v)
		default:
			return fmt.Errorf("%w: %T as an argument", errProtocol, arg)
		}
	}
	return w.flushFull()
}

// addition adds one.
func (w *wire) addition(a *addition) error {
	w.out = append(w.out, a.bytes[:a.at]...)
	if err := w.addData(a.apart); err != nil {
		return err
	}
	w.out = append(w.out, a.bytes[a.at:]...)
	return w.flushFull()
}

// addBytes adds an argument.
func (w *wire) addBytes(v []byte) error {
	w.out = appendHead(w.out, '$', len(v))
	if err := w.addData(v); err != nil {
		return err
	}
	w.out = append(w.out, crlf...)
	return nil
}

// addData adds what is in an argument. What is large is not copied.
func (w *wire) addData(v []byte) error {
	if len(v) < largeArg {
		w.out = append(w.out, v...)
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.conn.Write(v)
	return err
}

func (w *wire) flushFull() error {
	if len(w.out) < fullBuffer {
		return nil
	}
	return w.flush()
}

func (w *wire) flush() error {
	_, err := w.conn.Write(w.out)
	w.out = w.out[:0]
	return err
}

const (
	// largeArg is the size from which copying takes longer than a write of its own.
	largeArg = 16 << 10
	// fullBuffer is the size at which a buffer is written.
	fullBuffer = 64 << 10
	crlf       = "\r\n"
)

func appendHead(b []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(b, kind), int64(n), 10), crlf...)
}

func appendNumber(b []byte, n int64) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	return append(append(appendHead(b, '$', len(text)), text...), crlf...)
}

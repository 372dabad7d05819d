package leanmq

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// Compress compresses payloads of at least minBytes with gzip, if that makes
// them smaller: those of messages, requests and replies. minBytes is 1 to
// [MaxPayload]; below some hundred bytes little is gained. Default: nothing is
// compressed.
//
// Every client decompresses, whatever its own options.
func Compress(minBytes int) Option {
	return func(c *clientConfig) {
		if minBytes < 1 || minBytes > MaxPayload {
			c.payload.fail(invalid("Compress", "is %d: want 1 to %d bytes", minBytes, MaxPayload))
		}
		c.payload.compress = minBytes
	}
}

// A gzip writer has about a megabyte of tables, so they are used again.
type gzipWriter struct {
	zw  *gzip.Writer
	out bytes.Buffer
}

var gzipWriters = sync.Pool{New: func() any {
	zw, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
	return &gzipWriter{zw: zw}
}}

// maxPooled is how large a buffer is kept for the next payload.
const maxPooled = 1 << 20

// compress returns the payload compressed, or nil when that is no smaller.
func compress(payload []byte) []byte {
	w := gzipWriters.Get().(*gzipWriter)
	defer func() {
		if w.out.Cap() > maxPooled {
			w.out = bytes.Buffer{}
		}
		gzipWriters.Put(w)
	}()
	w.out.Reset()
	w.zw.Reset(&w.out)
	_, err := w.zw.Write(payload)
	if err != nil || w.zw.Close() != nil || w.out.Len() >= len(payload) {
		return nil
	}
	return bytes.Clone(w.out.Bytes())
}

type gzipReader struct {
	zr  gzip.Reader
	src bytes.Reader
}

var gzipReaders = sync.Pool{New: func() any { return new(gzipReader) }}

// maxInflation is the most that deflate makes of a byte.
const maxInflation = 1032

// decompress is the opposite of compress. It stops where the payload gets larger
// than any that is sent, so that a few bytes from elsewhere cannot fill the
// memory.
func decompress(data []byte) ([]byte, error) {
	r := gzipReaders.Get().(*gzipReader)
	defer gzipReaders.Put(r)
	r.src.Reset(data)
	defer r.src.Reset(nil)
	if err := r.zr.Reset(&r.src); err != nil {
		return nil, fmt.Errorf("cannot be decompressed: %w", err)
	}
	// The last four bytes tell the size, if they are true.
	size := int64(binary.LittleEndian.Uint32(data[len(data)-4:]))
	size = min(size, MaxPayload, int64(len(data))*maxInflation)
	out := bytes.NewBuffer(make([]byte, 0, size+1+bytes.MinRead))
	n, err := out.ReadFrom(io.LimitReader(&r.zr, MaxPayload+1))
	switch {
	case n > MaxPayload:
		return nil, fmt.Errorf("is larger than %d bytes when decompressed", MaxPayload)
	case err != nil:
		return nil, fmt.Errorf("cannot be decompressed: %w", err)
	}
	return out.Bytes(), nil
}

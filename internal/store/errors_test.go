package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestClassify(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	read := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	reset := &net.OpError{Op: "write", Err: syscall.ECONNRESET}
	plain := errors.New("something else")
	sentinels := []error{ErrClosed, ErrUnavailable, ErrUnknown, ErrNoGroup}
	for _, tt := range []struct {
		err  error
		want []error // of the sentinels
	}{
		// Not sent: safe to repeat.
		{dial, []error{ErrUnavailable}},
		{fmt.Errorf("pool: %w", dial), []error{ErrUnavailable}},
		{redis.ErrPoolTimeout, []error{ErrUnavailable}},
		{redis.ErrPoolExhausted, []error{ErrUnavailable}},
		{fmt.Errorf("%w: %w", ErrUnavailable, context.DeadlineExceeded), []error{ErrUnavailable}},
		// Sent, perhaps: not known what became of it.
		{io.EOF, []error{ErrUnavailable, ErrUnknown}},
		{io.ErrUnexpectedEOF, []error{ErrUnavailable, ErrUnknown}},
		{read, []error{ErrUnavailable, ErrUnknown}},
		{reset, []error{ErrUnavailable, ErrUnknown}},
		{context.DeadlineExceeded, []error{ErrUnavailable, ErrUnknown}},
		{&unknownError{context.Canceled}, []error{ErrUnknown}},
		// The server says no: nothing was done.
		{replyError("LOADING Redis is loading the dataset in memory"), []error{ErrUnavailable}},
		{replyError("READONLY You can't write against a read only replica."), []error{ErrUnavailable}},
		{replyError("MASTERDOWN Link with MASTER is down"), []error{ErrUnavailable}},
		{replyError("CLUSTERDOWN The cluster is down"), []error{ErrUnavailable}},
		{replyError("TRYAGAIN Multiple keys request during rehashing of slot"), []error{ErrUnavailable}},
		{replyError("NOREPLICAS Not enough good replicas to write."), []error{ErrUnavailable}},
		{replyError("BUSY Redis is busy running a script."), []error{ErrUnavailable}},
		{replyError("MISCONF Redis is configured to save RDB snapshots"), []error{ErrUnavailable}},
		{replyError("OOM command not allowed when used memory > 'maxmemory'."), []error{ErrUnavailable}},
		{replyError("ERR max number of clients reached"), []error{ErrUnavailable}},
		{replyError("NOGROUP No such key 'k' or consumer group 'g'"), []error{ErrNoGroup}},
		{replyError("UNBLOCKED the stream key no longer exists"), []error{ErrNoGroup}},
		// Neither an outage nor ours.
		{replyError("WRONGTYPE Operation against a key"), nil},
		{replyError("BUSYGROUP Consumer Group name already exists"), nil},
		{replyError("ERR unknown command"), nil},
		{context.Canceled, nil},
		{plain, nil},
		// Said already.
		{redis.ErrClosed, []error{ErrClosed}},
		{ErrClosed, []error{ErrClosed}},
	} {
		got := classify(tt.err)
		for _, s := range sentinels {
			if errors.Is(got, s) != slices.Contains(tt.want, s) {
				t.Errorf("%v: is %q %v", tt.err, s, errors.Is(got, s))
			}
		}
		if !errors.Is(tt.err, redis.ErrClosed) && !errors.Is(got, tt.err) {
			t.Errorf("%v is not in the chain of %v", tt.err, got)
		}
	}
	if classify(nil) != nil {
		t.Error("no error became one")
	}
}

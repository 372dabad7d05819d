package eventstore

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// leader runs a projection for as long as it has the lease.
type leader struct {
	*projector
	stop   context.Context // ends when no further event is to begin
	ctx    context.Context // of handlers
	cancel context.CancelCauseFunc
	lead   *store.Lead
	reader *store.Reader
	commit Commit
	done   int    // events handled and not committed
	last   string // position of the last one of them
}

// lead runs the projection until ctx ends or the lease is lost. Then it returns nil; an
// error means that it cannot go on.
func (p *projector) lead(ctx context.Context, lead *store.Lead) error {
	l := &leader{projector: p, stop: ctx, lead: lead, reader: p.s.mq.Store().NewReader()}
	l.commit = Commit{s: p.s, epoch: lead.Epoch}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(l.keep)
	err := l.follow()
	cause := context.Cause(l.ctx)
	l.cancel(nil)
	keeper.Wait()
	_ = l.reader.Close() // it may have connected to another node since the keeper closed it
	if errors.Is(cause, leanmq.ErrLeaseLost) {
		p.log.Warn().Msg("lost the projection")
		return err
	}
	l.release()
	if err == nil && errors.Is(cause, leanmq.ErrDrainTimeout) {
		return cause
	}
	return err
}

// keep renews the lease, and ends what must end.
func (l *leader) keep() {
	defer func() { _ = l.reader.Close() }() // whoever waits with it wakes up
	every := time.NewTicker(l.cfg.lease / 3)
	defer every.Stop()
	held := time.Now()
	stopping := l.stop.Done()
	var drained <-chan time.Time
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-drained:
			l.cancel(leanmq.ErrDrainTimeout)
			return
		case <-stopping:
			stopping = nil
			_ = l.reader.Close()
			t := time.NewTimer(l.cfg.drain)
			defer t.Stop()
			drained = t.C
		case <-every.C:
			now := time.Now()
			ok, err := l.hold(l.cfg.lease)
			switch {
			case ok:
				held = now
			case err == nil, time.Since(held) > l.cfg.lease:
				l.cancel(leanmq.ErrLeaseLost)
				return
			}
		}
	}
}

func (l *leader) hold(lease time.Duration, note ...any) (bool, error) {
	return l.s.log.HoldProjection(context.WithoutCancel(l.stop), l.name, l.lead, lease, note...)
}

// release lets another process take over at once.
func (l *leader) release() {
	if ok, err := l.hold(0); ok && err == nil {
		_ = l.s.mq.Store().Notify(context.WithoutCancel(l.stop), noticeFree)
	}
}

// ended reports whether no further event is to begin.
func (l *leader) ended() bool { return l.stop.Err() != nil || l.ctx.Err() != nil }

// follow handles the log, page by page.
func (l *leader) follow() error {
	for !l.ended() {
		found, err := l.s.after(l.ctx, l.lead.Position, l.cfg.batch)
		switch {
		case l.ended():
			return nil
		case transient(err):
			l.pace.wait(l.stop, err)
			continue
		case errors.Is(err, ErrPosition):
			if l.lost(l.hold(l.cfg.lease, "error", errorText(err))) {
				return nil // all is gone, the projection too: begin anew
			}
			return err
		case err != nil:
			return err
		case len(found) == 0:
			if err := l.reader.AwaitEvent(l.ctx, l.s.log, l.lead.Position); err != nil && !l.ended() {
				l.pace.wait(l.stop, err)
				continue
			}
		}
		l.pace.ok()
		for i := range found {
			if err := l.handle(l.s.newEvent(&found[i])); err != nil {
				return err
			}
			if l.ended() {
				break
			}
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
	return nil
}

// lost reports whether a hold says that another process has the projection.
func (l *leader) lost(held bool, err error) bool {
	if held || err != nil {
		return false
	}
	l.cancel(leanmq.ErrLeaseLost)
	return true
}

// handle hands out one event until it is done, or nothing more is to begin.
func (l *leader) handle(ev *Event) error {
	for attempt := 1; ; attempt++ {
		cmds, args := len(l.commit.cmds), l.commit.args
		err := l.call(ev)
		if err == nil {
			l.done, l.last = l.done+1, ev.Position
			if l.commit.args >= fullArgs {
				return l.flush()
			}
			return nil
		}
		l.commit.cmds, l.commit.args, l.commit.err = l.commit.cmds[:cmds], args, nil
		if l.ctx.Err() != nil {
			return nil
		}
		if err := l.flush(); err != nil || l.ctx.Err() != nil { // only this one is repeated
			return err
		}
		l.log.Error().Err(err).Str("event", ev.Position).Str("type", ev.Type).Int("attempt", attempt).
			Msg("projection failed; retrying")
		if l.lost(l.hold(l.cfg.lease, "error", errorText(err), "failed", ev.Position, "attempts", attempt)) {
			return nil
		}
		l.sleep(l.cfg.backoff(attempt, err))
		if l.ended() {
			return nil
		}
	}
}

// sleep waits, unless it is to end.
func (l *leader) sleep(d time.Duration) {
	ctx, cancel := context.WithCancel(l.stop)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	sleep(ctx, d)
}

// call runs the handler. A panic is an error.
func (l *leader) call(ev *Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &leanmq.PanicError{Value: v, Stack: debug.Stack()}
		}
		if err == nil {
			err = l.commit.err
		}
	}()
	return l.h(l.ctx, ev, &l.commit)
}

// flush commits what was handled. It repeats what got no answer: that is safe.
func (l *leader) flush() error {
	for l.done > 0 {
		held, err := l.s.log.CommitProjection(context.WithoutCancel(l.stop), l.name, l.lead, l.cfg.lease,
			l.last, l.lead.Handled+int64(l.done), l.commit.cmds)
		var refused *store.RefusedError
		switch {
		case errors.As(err, &refused):
			bad := &CommandError{Command: l.commit.cmds[refused.Index].Args, Reason: refused.Reason}
			_, _ = l.hold(l.cfg.lease, "error", errorText(bad))
			return bad
		case transient(err) && !l.ended():
			l.pace.wait(l.stop, err)
			continue
		case transient(err): // handled again by who comes next
			return nil
		case err != nil:
			return err
		case !held:
			l.cancel(leanmq.ErrLeaseLost)
			return nil
		}
		l.pace.ok()
		l.done, l.commit.cmds, l.commit.args = 0, l.commit.cmds[:0], 0
	}
	return nil
}

// errorText is what is kept of an error.
func errorText(err error) string {
	const most = 500
	s := err.Error()
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}

package leanmq

import (
	"context"
	"runtime"
	"slices"

	"github.com/leanmq/leanmq/internal/store"
)

// settleLocked hands a judged message to the settler. The worker does not wait
// for it: what is settled meanwhile goes along in the next batch. Until that is
// confirmed the message stays held, and counts against what the pool may hold.
func (p *pool) settleLocked(m *Message) {
	if p.toSettleLocked(m) {
		go p.settle()
	}
}

// toSettleLocked is settleLocked for who calls settle itself, if it returns true.
func (p *pool) toSettleLocked(m *Message) (first bool) {
	m.cancel = nil
	if m.verdict.outcome == outcomeKeep || m.lost || m.tx == txSettled {
		p.releaseLocked(m)
		return false
	}
	m.settling = true
	p.settles = append(p.settles, m)
	first = !p.settling
	p.settling = true
	return first
}

// settle sends batches until nothing is left to settle.
func (p *pool) settle() {
	o := outage{log: p.log, what: "settle", queue: p.q.name, hooks: p.c.hooks}
	var batch []*Message
	for {
		p.mu.Lock()
		if p.running > 0 {
			// Handlers that are about to return come along: settling one message takes
			// longer than that.
			p.mu.Unlock()
			runtime.Gosched()
			p.mu.Lock()
		}
		if len(p.settles) == 0 {
			p.settling = false
			p.signalLocked()
			p.mu.Unlock()
			return
		}
		batch, p.settles = p.settles, batch[:0]
		p.mu.Unlock()

		for _, s := range p.levels() {
			p.settleBatch(s, batch, &o)
		}
		clear(batch)
		p.poke()
		if p.owed.Load() && p.credit(0) > 0 {
			p.reclaimSoon()
		}
	}
}

// settleBatch settles those of a batch that came from s, until Redis has answered.
// Repeating it is safe; giving up would hand work that is done to another worker,
// so only the end of the drain ends it.
func (p *pool) settleBatch(s *source, batch []*Message, o *outage) {
	batch = of(s, batch)
	if len(batch) == 0 {
		return
	}
	st := settlement(batch)
	for {
		out, err := s.q.Settle(context.Background(), p.c.instance, &st)
		if err == nil {
			repeated := o.tries > 0
			o.ok()
			p.settled(batch, out, repeated)
			if repeated { // see settled
				out.Lost = nil
			}
			p.c.observeSettled(batch, out.Lost)
			return
		}
		if p.abandoned.Load() {
			p.log.Warn().Err(err).Int("messages", len(batch)).
				Msg("could not settle before the drain ended; they are redelivered after the lease")
			p.settled(batch, store.Settled{}, true)
			p.c.observeUnsettled(batch, OutcomeHandedBack)
			return
		}
		o.failed(context.Background(), err)
	}
}

// of returns the messages that came from s, mostly all of them.
func of(s *source, batch []*Message) []*Message {
	other := func(m *Message) bool { return m.source != s }
	if !slices.ContainsFunc(batch, other) {
		return batch
	}
	return slices.DeleteFunc(slices.Clone(batch), other)
}

// settled lets go of messages and learns what was lost.
func (p *pool) settled(batch []*Message, out store.Settled, repeated bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch = out.Epoch
	for _, m := range batch {
		p.releaseLocked(m)
	}
	if len(out.Lost) > 0 && !repeated {
		// After a repetition these may as well be what the first try settled.
		p.log.Warn().Strs("entries", out.Lost).Msg("lease lost before the message was settled: it is handled again")
	}
	if out.Dropped > 0 {
		p.log.Debug().Int("replies", out.Dropped).Msg("callers are gone: replies dropped")
	}
}

// special reports whether more than the entry ends with the message. An attempt
// before this one may have left a note of its progress.
func (m *Message) special() bool {
	return m.extra.ends() || m.progressed || m.Attempt > 1 || m.Deliveries > 1
}

func (m *Message) finished(counter string) store.Finished {
	f := store.Finished{ID: m.entry, Epoch: m.epoch, MessageID: m.ID, Counter: counter}
	if x := m.extra; x != nil {
		f.OrderKey, f.UniqueKey, f.Keep = x.orderKey, x.uniqueKey, x.keepResult
		if counter == "" {
			f.Result = x.packedResult()
		}
	}
	return f
}

// settlement sorts a batch by verdict.
func settlement(batch []*Message) store.Settlement {
	var st store.Settlement
	for _, m := range batch {
		if m.tx == txSettled {
			continue
		}
		if m.reply != nil {
			st.Replies = append(st.Replies, m.storeReply())
		}
		v := &m.verdict
		switch v.outcome {
		case outcomeDone:
			if m.special() {
				st.Finished = append(st.Finished, m.finished(""))
				break
			}
			n := len(st.Done)
			if n == 0 || st.Done[n-1].Epoch != m.epoch {
				st.Done = append(st.Done, store.Done{Epoch: m.epoch, IDs: make([]string, 0, len(batch))})
				n++
			}
			st.Done[n-1].IDs = append(st.Done[n-1].IDs, m.entry)
		case outcomeRetry:
			st.Retries = append(st.Retries, store.Retry{ID: m.entry, Epoch: m.epoch, Delay: v.delay, Attempts: m.Attempt, Error: v.err})
		case outcomeDead:
			st.Dead = append(st.Dead, store.Dead{ID: m.entry, Epoch: m.epoch, Reason: v.reason, Attempts: m.Attempt, Error: v.err})
		case outcomeExpired:
			st.Finished = append(st.Finished, m.finished(store.CounterExpired))
		case outcomeCanceled:
			st.Finished = append(st.Finished, m.finished(store.CounterCanceled))
		case outcomeKeep:
		}
	}
	return st
}

func (m *Message) storeReply() store.Reply {
	return store.Reply{
		To:     m.replyTo,
		Status: m.reply.Status, Header: m.replyHeader(), Payload: m.reply.Payload,
	}
}

func (h Header) pairs() []string {
	if len(h) == 0 {
		return nil
	}
	out := make([]string, 0, 2*len(h))
	for name, value := range h {
		if len(name) > 1 { // shorter ones are LeanMQ's
			out = append(out, name, value)
		}
	}
	return out
}

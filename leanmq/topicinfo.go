package leanmq

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// TopicInfo shows a topic.
type TopicInfo struct {
	Name   string `json:"name"`
	Length int64  `json:"length"` // messages retained
	// First and Last are the ids of the messages at the ends, and FirstAt and LastAt
	// when they were published. All are zero without messages.
	First     string      `json:"first,omitempty"`
	Last      string      `json:"last,omitempty"`
	FirstAt   time.Time   `json:"first_at,omitzero"`
	LastAt    time.Time   `json:"last_at,omitzero"`
	Retention Retention   `json:"retention"`
	Groups    []GroupInfo `json:"groups"` // by name
	// Blocking are the groups that keep the retention from taking messages away,
	// because they are not done with the first one yet. With
	// [Retention.UntilDone] a group does if another one is done with it.
	Blocking []string `json:"blocking,omitempty"`
}

// GroupInfo shows a group of a topic.
type GroupInfo struct {
	Name string `json:"name"`
	// Lag is how many messages of the topic the group has not read. It may have to
	// be counted: then no more than 100,000, and LagMore says that there are more.
	Lag     int64 `json:"lag"`
	LagMore bool  `json:"lag_more,omitempty"`
	// The group's own: see [QueueInfo].
	InFlight  int64 `json:"in_flight"`
	Scheduled int64 `json:"scheduled"`
	Blocked   int64 `json:"blocked"`
	Dead      int64 `json:"dead"`
	Consumers int64 `json:"consumers"`
	Paused    bool  `json:"paused"`
	// Filtered and Dropped are messages ever that its [Types] did not match, and
	// that the retention took away before it was done with them.
	Filtered int64    `json:"filtered"`
	Dropped  int64    `json:"dropped"`
	Types    []string `json:"types,omitempty"`
	// Undone is when the oldest message was published that the group is not done
	// with; zero without one. What failed is the group's own and does not count.
	Undone time.Time `json:"undone,omitzero"`
}

// Info shows the topic and its groups. A topic that does not exist is empty.
func (t *Topic) Info(ctx context.Context) (TopicInfo, error) {
	if t.err != nil {
		return TopicInfo{}, t.wrap("info", t.err)
	}
	info, err := t.info(ctx)
	return info, t.wrap("info", err)
}

func (t *Topic) info(ctx context.Context) (TopicInfo, error) {
	st, err := t.st.State(ctx)
	if err != nil {
		return TopicInfo{}, err
	}
	info := TopicInfo{
		Name: t.name, Length: st.Length, First: st.First, Last: st.Last,
		Retention: Retention(st.Retention), Groups: []GroupInfo{}, Blocking: st.Blocking(),
	}
	if st.First != "" {
		info.FirstAt, info.LastAt = time.UnixMilli(store.EntryTime(st.First)), time.UnixMilli(store.EntryTime(st.Last))
	}
	for i := range st.Groups {
		g, err := t.groupInfo(ctx, &st, &st.Groups[i])
		if err != nil {
			return info, err
		}
		info.Groups = append(info.Groups, g)
	}
	slices.SortFunc(info.Groups, func(a, b GroupInfo) int { return strings.Compare(a.Name, b.Name) })
	return info, nil
}

func (t *Topic) groupInfo(ctx context.Context, st *store.TopicState, g *store.GroupState) (GroupInfo, error) {
	info := GroupInfo{Name: g.Name}
	q, err := t.st.Group(g.Name)
	if err != nil {
		return info, nil // not a group of ours: somebody made it by hand
	}
	if info.Lag, info.LagMore, err = t.st.Lag(ctx, st, g); err != nil {
		return info, err
	}
	own, err := q.Info(ctx)
	if err != nil {
		return info, err
	}
	settings, err := q.GroupSettings(ctx)
	if err != nil {
		return info, err
	}
	info.InFlight, info.Scheduled, info.Blocked, info.Dead = own.InFlight, own.Scheduled, own.Blocked, own.Dead
	info.Consumers, info.Paused = own.Consumers, own.Paused
	info.Types, info.Filtered, info.Dropped = settings.Types, settings.Filtered, settings.Dropped
	if g.Pending > 0 || info.Lag > 0 {
		info.Undone = time.UnixMilli(max(store.EntryTime(g.Undone), store.EntryTime(st.First)))
	}
	return info, nil
}

// Info shows the group. A group that does not exist is an *[UnknownGroupError].
func (g *Group) Info(ctx context.Context) (GroupInfo, error) {
	if g.q.err != nil {
		return GroupInfo{}, g.q.wrap("info", "", g.q.err)
	}
	info, err := g.info(ctx)
	return info, g.q.wrap("info", "", err)
}

func (g *Group) info(ctx context.Context) (GroupInfo, error) {
	st, err := g.t.st.State(ctx)
	if err != nil {
		return GroupInfo{}, err
	}
	var names []string
	for i := range st.Groups {
		if names = append(names, st.Groups[i].Name); st.Groups[i].Name == g.name {
			return g.t.groupInfo(ctx, &st, &st.Groups[i])
		}
	}
	return GroupInfo{}, g.unknown(names)
}

// TopicNames lists the names of all topics, sorted.
func (c *Client) TopicNames(ctx context.Context) ([]string, error) {
	names, err := c.s.TopicNames(ctx)
	return names, wrap("list topics", "", "", err)
}

// Topics shows all topics, sorted by name.
func (c *Client) Topics(ctx context.Context) ([]TopicInfo, error) {
	names, err := c.s.TopicNames(ctx)
	if err != nil {
		return nil, wrap("list topics", "", "", err)
	}
	infos := make([]TopicInfo, 0, len(names))
	for _, name := range names {
		info, err := c.Topic(name).Info(ctx)
		if errors.Is(err, ErrInvalid) {
			continue // not a topic of ours: somebody wrote into the registry
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

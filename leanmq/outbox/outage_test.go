package outbox_test

import (
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

func TestPostgresRestarted(t *testing.T) {
	for name, end := range map[string]func(*pgtest.PostgresServer){
		"stopped": (*pgtest.PostgresServer).Stop, "killed": (*pgtest.PostgresServer).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			server := pgtest.Server(t)
			log := &testkit.Log{}
			mq := open(t, redistest.Server(t).URL(), leanmq.Logger(zerolog.New(log)))
			db := database(t, server.URL())
			box := create(t, db)
			inBatch, proceed := make(chan struct{}), make(chan struct{})
			var once sync.Once
			onStep(t, func(step string) error {
				if step == "sent" {
					once.Do(func() {
						close(inBatch)
						<-proceed
					})
				}
				return nil
			})
			for range 3 {
				add(t, box, db, "q", "x")
			}
			start(t, box, db, mq)
			<-inBatch // its rows are sent, and it has not deleted them
			end(server)
			close(proceed)
			eventually(t, "it notices", func() bool { return log.Count("postgres is failing") > 0 })
			server.Start()
			eventually(t, "it goes on", func() bool { return log.Count("postgres is back") > 0 })
			// Connections of the pool may be those from before.
			eventually(t, "the database answers", func() bool { return db.Ping() == nil })
			moved(t, box, db)
			add(t, box, db, "q", "x")
			moved(t, box, db)
			take(t, mq.Queue("q"), 4)
			if n := log.Count("postgres is failing"); n != 1 {
				t.Errorf("%d lines for one outage", n)
			}
		})
	}
}

func TestRedisAway(t *testing.T) {
	server := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	log := &testkit.Log{}
	mq := open(t, server.URL(), leanmq.Logger(zerolog.New(log)))
	db := database(t, pgtest.Database(t))
	box := create(t, db)
	start(t, box, db, mq)
	s := startSender(t, box, db)
	q := mq.Queue("q")
	for i, away := range []func(){server.Stop, server.Kill, server.Kill, server.Pause} {
		was := info(t, q)
		eventually(t, "it moves rows", func() bool { return info(t, q).Ready > was.Ready })
		away()
		eventually(t, "it notices", func() bool { return log.Count("redis is failing") == i+1 })
		if i == 3 {
			server.Resume()
		} else {
			server.Start()
		}
		eventually(t, "it goes on", func() bool { return log.Count("redis is back") == i+1 })
	}
	s.check(t, box, db, q)
}

// A row that somebody else has locked, or a table, is waited for, and not for ever.
func TestLockedRow(t *testing.T) {
	mq := open(t, "mem://")
	db := database(t, pgtest.Database(t))
	box := create(t, db)
	add(t, box, db, "q", "x")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // after Commit it does nothing
	if _, err := tx.Exec("SELECT seq FROM leanmq_outbox FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	start(t, box, db, mq, outbox.Poll(time.Millisecond))
	eventually(t, "it is sent", func() bool { return info(t, mq.Queue("q")).Ready == 1 })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	moved(t, box, db)
	take(t, mq.Queue("q"), 1)
}

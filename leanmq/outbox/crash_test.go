package outbox_test

const childRelayEnv = "LEANMQ_OUTBOX_RELAY"

func childRelay() int { return 0 }

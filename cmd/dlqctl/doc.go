// Dlqctl shows the dead letters of LeanMQ queues, sends them again and deletes
// them. It also shows what is in flight, pauses queues, cancels messages and rewinds
// groups of topics.
//
//	dlqctl queues
//	dlqctl topics
//	dlqctl ls emails --limit 10
//	dlqctl show emails 1700000000000-0
//	dlqctl requeue emails --all
//	dlqctl purge emails 1700000000000-0
//	dlqctl ps emails
//	dlqctl pause emails
//	dlqctl resume emails
//	dlqctl cancel emails welcome-42
//	dlqctl seek orders:events billing --to 2026-01-31T15:04:05Z
//
// What is promised:
//
//   - Showing changes nothing. Requeueing moves each letter atomically and once,
//     so that an interrupted requeue can be repeated. Purging and seeking ask
//     first, and without a terminal to ask on they want to be told --yes.
//   - What it prints cannot steer the terminal: whatever comes out of a message
//     has its control characters escaped, in tables, in JSON and in errors.
//   - The passwords of the Redis URL are never printed.
//   - It ends with 0 when all was done, 1 when something was not, with 2 when it
//     was called wrongly and did nothing.
//
// In --json each thing is one JSON object on one line, with field names that
// stay as they are.
package main

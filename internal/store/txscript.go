package store

import (
	"fmt"
	"strings"
)

// A transaction is made of records of these kinds, and tx.lua says of what they are.
// Moves are the scripts of the same name, so that a move is the same in a transaction
// and outside of one. What is sent some other way in the future is a further kind.
const (
	txAdd     = "add" // an XADD: tx.lua's own
	txTypes   = "tx_types"
	txOwner   = "tx_owner"
	txLetter  = "tx_letter"
	txRoom    = "tx_room"
	txOwn     = "tx_own"
	txFree    = "tx_free"
	txSend    = "send"
	txOnce    = "once"
	txDedupe  = "dedupe"
	txDone    = "done"
	txFinish  = "finish"
	txRetry   = "retry"
	txDead    = "dead"
	txRequeue = "requeue"
)

// txScripts are the scripts that commit transactions, the smaller ones first: each
// kind that a script knows costs a call of it about 100 ns.
var txScripts = []txScript{
	newTxScript(txTypes),
	newTxScript(txTypes, txOwner, txOwn, txDone),
	newTxScript(txTypes, txOwner, txOwn, txDone, txLetter, txRoom, txFree,
		txSend, txOnce, txDedupe, txFinish, txRetry, txDead, txRequeue),
}

// txScript knows some kinds of records.
type txScript struct {
	*script
	kinds string // " kind kind … "
}

func newTxScript(kinds ...string) txScript {
	var src strings.Builder
	// What the records of a transaction share.
	src.WriteString("local refused\nlocal undo, added, taken, kinds = {}, {}, {}, {}\n")
	for _, kind := range kinds {
		fmt.Fprintf(&src, "kinds['%s'] = function(KEYS, ARGV)\n%s\nend\n", kind, readScript(kind))
	}
	src.WriteString(readScript("tx"))
	return txScript{newScriptOf("tx", src.String()), " " + strings.Join(kinds, " ") + " "}
}

// txScriptFor is the smallest script that knows all of the records.
func txScriptFor(records []txRecord) *script {
	smallest := 0
	for i := range records {
		if records[i].kind == txAdd {
			continue // all know it
		}
		for !strings.Contains(txScripts[smallest].kinds, " "+records[i].kind+" ") {
			smallest++ // the last one knows all
		}
	}
	return txScripts[smallest].script
}

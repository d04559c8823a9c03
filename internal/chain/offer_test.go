package chain

import (
	"testing"

	"croft"
)

// TestOfferedAgain: peers refuse a transaction for now, as those do that are a
// block behind, and the mempool sends each peer a transaction once. It is in a
// block nevertheless, whoever proposes next.
func TestOfferedAgain(t *testing.T) {
	n := newNetwork(t, 4)
	n.start(0, 1, 2, 3)
	n.settle()
	for sender := range n.nodes {
		tx, _ := n.dataset(sender, "late")
		member := n.genesis.Members[sender].ID
		for i, node := range n.nodes {
			if i != sender {
				full := map[croft.Hash]bool{}
				for k := range memberQuota {
					full[croft.Hash{byte(k)}] = true
				}
				node.app.mu.Lock()
				node.app.quota[member] = full
				node.app.mu.Unlock()
			}
		}
		if err := n.nodes[sender].offer(tx); err != nil {
			t.Fatal(err)
		}
		n.settle() // no block, unless the sender is the next proposer: the others have not got it
		for _, node := range n.nodes {
			node.app.mu.Lock()
			clear(node.app.quota)
			node.app.mu.Unlock()
		}
		if err := n.nodes[sender].Submit(t.Context(), tx); err != nil {
			t.Fatalf("from node %d: %v", sender, err)
		}
	}
}

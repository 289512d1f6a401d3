// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import "einhyrningsins/internal/link"

// orderLook answers with what all workers are started from.
func (k *keeper) orderLook(m *link.Look) {
	k.master.conn.Send(&link.Looked{Launch: link.Launch{Generation: m.Generation, Program: k.worker.path}})
}

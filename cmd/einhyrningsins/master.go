// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"runtime"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/keeper"
	"einhyrningsins/internal/master"
	"einhyrningsins/internal/memory"
	"einhyrningsins/internal/platform"
)

// runMaster is this program as the keeper starts it.
func runMaster() int {
	keeper.CleanMaster()
	memory.Tune()
	runtime.GOMAXPROCS(1) // one loop does it all; more would only cost threads
	platform.SetComm(keeper.MasterName)
	err := master.Run(os.NewFile(keeper.MasterLinkFD, "link"), func(cfg *config.Config) master.Log {
		return newLog(cfg, "master")
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "einhyrningsins: master: %v\n", err)
		return statusFailed
	}
	return statusOK
}

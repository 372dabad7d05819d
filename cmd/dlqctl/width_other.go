//go:build !unix

package main

import "os"

// terminalWidth is not found out here: COLUMNS can tell it.
func terminalWidth(*os.File) int { return 0 }

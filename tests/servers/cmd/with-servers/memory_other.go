//go:build !linux

package main

// memoryDir returns "", because only Linux has a folder for it that is always there.
func memoryDir() string { return "" }

// Package regional reads what clients report about their language and time zone, which
// seldom follows the standards: en_US, zh_TW_#Hant, GMT+05:30, europe/berlin. A report with
// a single meaning is brought to one form; any other is not understood, which is no reason
// to lose a device.
//
// The package is pure. It guesses nothing: an abbreviation such as IST, which
// India, Israel and Ireland use, is not understood.
package regional

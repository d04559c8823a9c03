package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes the table for people.
func (r *PrivaggReport) Print(out io.Writer) error { return r.print(out, r.Rows) }

// Print writes the row for people.
func (r *PrivaggRun) Print(out io.Writer) error { return r.print(out, []PrivaggRow{r.PrivaggRow}) }

func (s PrivaggSetting) print(out io.Writer, rows []PrivaggRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "numbers\tscheme\tclient\t× floor (CPU)\tseat, a report\t× floor (CPU)\tupload\tof the vector\tanswer\tmemory")
	for _, row := range rows {
		fmt.Fprintf(w, "%d\t%s\t%s\t%.1f (%.1f)\t%s\t%.1f (%.1f)\t%d kB\t%.4f\t%.1f kB\t%d MB\n", row.Dim, row.Scheme,
			milliseconds(row.ClientSeconds), row.ClientOver, row.ClientCPUOver, milliseconds(row.SeatSeconds), row.SeatOver, row.SeatCPUOver,
			(row.UploadBytes+500)/1000, row.UploadOver, float64(row.VerifierBytes)/1000, (row.PeakBytes+500_000)/1_000_000)
	}
	fmt.Fprintf(w, "\nFloor: %s. Times: median of %d, wall; %d processors.\nBound %d, seed %d, %s\n",
		s.Floor, s.Repeats, s.Processors, s.Bound, s.Seed, s.told())
	return w.Flush()
}

func milliseconds(seconds float64) string { return fmt.Sprintf("%.4g ms", 1000*seconds) }

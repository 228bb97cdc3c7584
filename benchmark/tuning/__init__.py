"""The equal search: as many settings of every row, judged on validation, the best of them trained for longer."""

"""`python -m crmkit` is the same as `crmkit`."""

from crmkit.cli import main

raise SystemExit(main())

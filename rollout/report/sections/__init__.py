"""The report's sections, one idea a file; each registers itself with `@section(name, order)`."""

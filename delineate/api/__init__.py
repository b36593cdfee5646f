"""REST and the page, as ``docs/rest.md`` has them; entered through `delineate.api.app.create`."""

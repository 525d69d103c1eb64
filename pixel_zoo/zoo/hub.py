"""Fetching a file from the Hugging Face Hub."""

import pathlib

from pixel_zoo.zoo.whole import is_whole

SCHEME = "hf://"


def fetch_from_hub(address, file, sha256):
    """Fetch a file of a model repository, with the Hub's own client: its cache, locks, resuming and login.

    Args:
        address: "hf://OWNER/REPOSITORY" or "hf://OWNER/REPOSITORY@REVISION".
        file: its name in the repository.
        sha256: its SHA-256, in hexadecimal.

    Returns:
        `pathlib.Path` in the Hub's cache.

    Raises:
        ImportError: `huggingface_hub` is not installed.
        ValueError: the address has another form, or the repository has another file of this name.
        FileNotFoundError: there is no such repository, revision or file, or it is private.
        ConnectionError: the Hub cannot be reached, or answers with an error.

    Example:

    >>> fetch_from_hub("hf://owner", "digits_gated.keras", "0")
    Traceback (most recent call last):
    ...
    ValueError: PIXEL_ZOO_URL must read hf://OWNER/REPOSITORY or hf://OWNER/REPOSITORY@REVISION, got 'hf://owner'
    """
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ImportError(f"{SCHEME} needs {error.name}: pip install 'pixel-zoo[hub]'") from error
    repository, _, revision = address.removeprefix(SCHEME).rstrip("/").partition("@")
    try:
        if repository.count("/") != 1:
            raise errors.HFValidationError
        path = huggingface_hub.hf_hub_download(repository, file, revision=revision or None)
    except errors.HFValidationError:
        form = f"{SCHEME}OWNER/REPOSITORY"
        raise ValueError(f"PIXEL_ZOO_URL must read {form} or {form}@REVISION, got {address!r}") from None
    except errors.LocalEntryNotFoundError as error:  # also a FileNotFoundError; the Hub's cache does not have it
        raise ConnectionError(f"{file} cannot be fetched from {address}: {_first_line(error)}") from error
    except (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise FileNotFoundError(f"{address} has no {file} that you may read: {_first_line(error)}") from error
    except Exception as error:  # whatever is wrong between here and the Hub; the errors depend on its client's version
        raise ConnectionError(f"{file} cannot be fetched from {address}: {_first_line(error)}") from error
    if not is_whole(pathlib.Path(path), sha256):
        raise ValueError(f"{address} has another {file} than the index knows: its SHA-256 is not {sha256}")
    return pathlib.Path(path)


def _first_line(error):
    return str(error).strip().partition("\n")[0]

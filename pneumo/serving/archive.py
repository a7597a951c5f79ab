"""Archives of films: a folder, a zip file, a DICOM medium or a DICOMweb service, listed and read film by film.

Neither the list nor the films are held in memory: an archive may have ten million.
"""

import functools
import hashlib
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pneumo.errors import ArchiveError, UnreadableImageError
from pneumo.radiograph import decoder_limits, silent_decoders

if TYPE_CHECKING:
    from pneumo.serving.dicomweb import WebArchive

_T = TypeVar("_T")

# What systems and archives put beside films, and the directory of a DICOM medium, which holds no picture.
_BESIDE_FILMS = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "autorun.inf", "dicomdir", "@eadir", "$recycle.bin")
)
# DICOM PS3.10, 8.6: the SOP class of a DICOMDIR.
_MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
# What a DICOMweb service answers (RFC 9110) where it has a film no more, and where it may have it later.
_GONE, _OVERLOADED = (404, 406, 410), (408, 429, 500, 502, 503, 504)
# Seconds between the times that a DICOMweb service is asked again before it is held to be away.
_PATIENCE = (1, 5, 30)

# A film's name in its archive, with "/" between folders, and where it lies in it if the name does not say that.
Entry = tuple[str, str]


class Archive(Protocol):
    """Films that can be listed and read; it can be pickled, so that other processes read them."""

    @property
    def identity(self) -> str:
        """What tells the archive from another one, for people too."""

    def entries(self) -> Iterator[Entry]:
        """Yield every film, in any order.

        Raises:
            ArchiveError: if the archive is damaged or cannot be reached.
        """

    def film(self, entry: Entry) -> Path | bytes:
        """Return what `inference.read_film` reads.

        Raises:
            UnreadableImageError: if this film cannot be had.
            ArchiveError: if none can, as the archive is away.
        """


def find(address: str) -> Archive:
    """Return the archive at an address.

    Args:
        address: path of a folder, of a zip file or of a DICOMDIR, or the address of a DICOMweb service.

    Raises:
        ArchiveError: if there is nothing, or something else.
    """
    if address.lower().startswith(("http://", "https://")):
        if "@" in urlsplit(address).netloc:
            raise ArchiveError(
                "Give user and password as PNEUMO_DICOMWEB_USER and PNEUMO_DICOMWEB_PASSWORD, not in the address."
            )
        return DicomWeb(address)
    path = Path(address)
    if path.is_dir():
        return Folder(path.resolve())
    if not path.is_file():
        raise ArchiveError("There is no folder, zip file or DICOMDIR {path}. Check its spelling.", path=address)
    if zipfile.is_zipfile(path):
        return Zip(path.resolve())
    if _is_dicomdir(path):
        return DicomMedium(path.resolve())
    raise ArchiveError(
        "{path} is no folder, zip file or DICOMDIR. Use `pneumo predict` for single films.", path=address
    )


def films_below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, in any order, leaving out what is hidden or never a film.

    Links lead into folders, but not in a circle. Of a folder that cannot be opened its own path is yielded, so that a
    line says so.

    Args:
        folder: to go through.
        above: the folders on the way to it, resolved.
    """
    above |= {folder.resolve()}
    try:
        with os.scandir(folder) as found:
            for each in found:
                if _is_beside_films(each.name):
                    continue
                path = Path(each.path)
                if each.is_dir():
                    if path.resolve() not in above:
                        yield from films_below(path, above)
                elif each.is_file() or not path.exists():
                    yield path
    except OSError:
        yield folder


def _is_beside_films(name: str) -> bool:
    return name.startswith(".") or name.lower() in _BESIDE_FILMS


@dataclass(frozen=True)
class Folder:
    """A folder of films, and of folders of films."""

    path: Path

    @property
    def identity(self) -> str:
        """The folder's path."""
        return f"folder {self.path}"

    def entries(self) -> Iterator[Entry]:
        """Yield the paths of the films below the folder, relative to it."""
        for path in films_below(self.path):
            yield path.relative_to(self.path).as_posix(), ""

    def film(self, entry: Entry) -> Path:
        """Return the path of a film."""
        path = self.path / entry[0]
        # A disk that is away leaves its folder behind, and must not make errors of all films that are left.
        if not os.path.lexists(path) and not any(self.path.glob("*")):
            raise ArchiveError("The folder {path} is away, or empty.", path=str(self.path))
        return path


@dataclass(frozen=True)
class Zip:
    """A zip file of films, which are read out of it without unpacking it."""

    path: Path

    @property
    def identity(self) -> str:
        """The file's size and the hash of its end, where its table of contents stands."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(max(0, size - 65536))
            return f"zip file of {size} bytes, {hashlib.sha256(file.read()).hexdigest()[:16]}"

    def entries(self) -> Iterator[Entry]:
        """Yield the names of the films, with offset, packed size and checksum."""
        try:
            with zipfile.ZipFile(self.path) as file:
                for each in file.infolist():
                    if not each.is_dir() and not any(map(_is_beside_films, PurePosixPath(each.filename).parts)):
                        yield each.filename, f"{each.header_offset} {each.compress_size} {each.CRC}"
        except (OSError, zipfile.BadZipFile) as error:
            raise self._unreadable(error) from error

    def film(self, entry: Entry) -> bytes:
        """Return the bytes of a film; of one that is larger than may be read, as many as tell that.

        `zipfile` would hold the table of contents in memory, in every process.
        """
        name, place = entry
        offset, packed, checksum = map(int, place.split())
        too_many = decoder_limits.MAX_BYTES + 1
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                flags, method, name_length, extra_length = struct.unpack("<6xHH16xHH", file.read(30))
                file.seek(name_length + extra_length, os.SEEK_CUR)
                data = file.read(min(packed, too_many))
            if flags & 1 or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnreadableImageError(
                    "{name} is locked, or packed in a way that pneumo does not know. Unpack the zip file.", name=name
                )
            if method == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, too_many)
        except OSError as error:
            raise self._unreadable(error) from error
        except (struct.error, zlib.error) as error:
            raise _damaged_in_zip(name) from error
        if len(data) < too_many and zlib.crc32(data) != checksum:
            raise _damaged_in_zip(name)
        return data

    def _unreadable(self, error: Exception) -> ArchiveError:
        return ArchiveError("The zip file {path} cannot be read ({why}).", path=str(self.path), why=str(error))


def _damaged_in_zip(name: str) -> UnreadableImageError:
    return UnreadableImageError("{name} is damaged in the zip file. Make the zip file again.", name=name)


@dataclass(frozen=True)
class DicomMedium:
    """The films that a DICOMDIR names (DICOM PS3.10), which lie in folders beside it.

    Attributes:
        path: of the DICOMDIR.
    """

    path: Path

    @property
    def identity(self) -> str:
        """The hash of the DICOMDIR."""
        return f"DICOMDIR {hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]}"

    def entries(self) -> Iterator[Entry]:
        """Yield the names of the images, as the DICOMDIR gives them; reports and the like are none."""
        import pydicom

        try:
            with silent_decoders:
                directory = pydicom.dcmread(self.path)
                for record in directory.DirectoryRecordSequence:
                    named = record.get("ReferencedFileID")
                    if record.get("DirectoryRecordType") == "IMAGE" and named:
                        yield named if isinstance(named, str) else "/".join(named), ""
        except Exception as error:
            raise ArchiveError("{path} is damaged. Give its folder instead.", path=str(self.path)) from error

    def film(self, entry: Entry) -> Path:
        """Return the path of a film; Linux shows the capital letters of a CD in small ones."""
        name = PurePosixPath(entry[0])
        if name.is_absolute() or ".." in name.parts:
            raise UnreadableImageError("{name} lies outside of the DICOM medium.", name=entry[0])
        if not self.path.exists():
            raise ArchiveError("{path} is away.", path=str(self.path))
        path, small = (self.path.parent / text for text in (entry[0], entry[0].lower()))
        return small if small.exists() and not path.exists() else path


def _is_dicomdir(path: Path) -> bool:
    import pydicom

    try:
        with silent_decoders:
            meta = pydicom.filereader.read_file_meta_info(path)
    except Exception:
        return False
    return meta.get("MediaStorageSOPClassUID") == _MEDIA_STORAGE_DIRECTORY


@dataclass(frozen=True)
class DicomWeb:
    """The films of a DICOMweb service (DICOM PS3.18): computed and digital radiographs, and secondary captures.

    Attributes:
        address: of the service; a query narrows the search for studies, as in ``?StudyDate=20240101-20241231``.
    """

    address: str

    @property
    def identity(self) -> str:
        """The address."""
        return f"DICOMweb service {self.address}"

    def entries(self) -> Iterator[Entry]:
        """Yield the UIDs of study, series and instance of each film, with "/" between them."""
        archive = self._service()
        for study in archive.all_studies(dict(parse_qsl(urlsplit(self.address).query))):
            for place in _patiently(functools.partial(archive.films, study))[0]:
                yield f"{place.study}/{place.series}/{place.film}", ""

    def film(self, entry: Entry) -> bytes:
        """Return the bytes of an instance."""
        from pneumo.serving.dicom_answers import is_own
        from pneumo.serving.dicomweb import Place, http_status

        place = Place(*entry[0].split("/"))
        try:
            film = _patiently(functools.partial(self._service().fetch, place))
        except ArchiveError as error:
            if http_status(error.__cause__) in _GONE:
                raise UnreadableImageError("{name} is not in the archive any more.", name=entry[0]) from error
            raise
        if is_own(film):
            raise UnreadableImageError("{name} is a picture that pneumo made.", name=entry[0])
        return film

    def _service(self) -> "WebArchive":
        return _service(urlunsplit(urlsplit(self.address)._replace(query="")))


@functools.cache
def _service(url: str) -> "WebArchive":
    try:
        from pneumo.serving.dicomweb import WebArchive, authorization

        return WebArchive(url, authorization(os.environ))
    except ImportError as error:
        raise ArchiveError("A DICOMweb archive needs more packages: pip install 'pneumo[archive]'.") from error


def _patiently(ask: Callable[[], _T]) -> _T:
    """Ask a service again while it is away or overloaded."""
    from pneumo.serving.dicomweb import http_status

    for seconds in _PATIENCE:
        try:
            return ask()
        except ArchiveError as error:
            status = http_status(error.__cause__)
            if status is not None and status not in _OVERLOADED:
                raise
            time.sleep(seconds)
    return ask()

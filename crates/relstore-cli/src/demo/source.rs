//! The data that the binary carries: `data/*.csv.zst`, decoded into the models.
//!
//! What does not read as its column's type is refused, with its place in the file: the file is ours, so that is `Corrupt`.

use std::str::FromStr;

use relstore::model::{Error, Result, Timestamp};

use super::schema::{Airline, Airport, Flight, Plane, Weather};

/// The five tables as the source has them, in the order of the files.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) airlines: Vec<Airline>,
    pub(crate) airports: Vec<Airport>,
    pub(crate) planes: Vec<Plane>,
    pub(crate) weather: Vec<Weather>,
    pub(crate) flights: Vec<Flight>,
}

const AIRLINES: File = File { name: "airlines.csv", columns: "carrier,name", packed: include_bytes!("../../../../data/airlines.csv.zst") };
const AIRPORTS: File = File {
    name: "airports.csv",
    columns: "faa,name,lat,lon,alt,tz,dst,tzone",
    packed: include_bytes!("../../../../data/airports.csv.zst"),
};
const PLANES: File = File {
    name: "planes.csv",
    columns: "tailnum,year,type,manufacturer,model,engines,seats,speed,engine",
    packed: include_bytes!("../../../../data/planes.csv.zst"),
};
const WEATHER: File = File {
    name: "weather.csv",
    columns: "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour",
    packed: include_bytes!("../../../../data/weather.csv.zst"),
};
const FLIGHTS: File = File {
    name: "flights.csv",
    columns: "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,\
        air_time,distance,hour,minute,time_hour",
    packed: include_bytes!("../../../../data/flights.csv.zst"),
};

impl Source {
    /// The bytes that the binary carries.
    pub(crate) const PACKED_BYTES: usize =
        AIRLINES.packed.len() + AIRPORTS.packed.len() + PLANES.packed.len() + WEATHER.packed.len() + FLIGHTS.packed.len();

    /// Decodes all of it: some 150 MB in memory.
    ///
    /// # Errors
    /// `Corrupt` if a file is not what it should be, with its name and line.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self {
            airlines: AIRLINES.rows(airline)?,
            airports: AIRPORTS.rows(airport)?,
            planes: PLANES.rows(plane)?,
            weather: WEATHER.rows(weather)?,
            flights: FLIGHTS.rows(flight)?,
        })
    }
}

// A struct's fields are read in the order in which they are written: that of the file.

fn airline(cells: &mut Cells<'_>) -> Result<Airline> {
    Ok(Airline { carrier: cells.text()?, name: cells.text()? })
}

fn airport(cells: &mut Cells<'_>) -> Result<Airport> {
    Ok(Airport {
        faa: cells.text()?,
        name: Some(cells.text()?),
        lat: Some(cells.value()?),
        lon: Some(cells.value()?),
        alt: Some(cells.value()?),
        tz: Some(cells.value()?),
        dst: Some(cells.text()?),
        tzone: cells.nullable()?,
        listed: true,
    })
}

fn plane(cells: &mut Cells<'_>) -> Result<Plane> {
    Ok(Plane {
        tailnum: cells.text()?,
        year: cells.nullable()?,
        plane_type: Some(cells.text()?),
        manufacturer: Some(cells.text()?),
        model: Some(cells.text()?),
        engines: Some(cells.value()?),
        seats: Some(cells.value()?),
        speed: cells.nullable()?,
        engine: Some(cells.text()?),
        listed: true,
    })
}

fn weather(cells: &mut Cells<'_>) -> Result<Weather> {
    Ok(Weather {
        origin: cells.text()?,
        year: cells.value()?,
        month: cells.value()?,
        day: cells.value()?,
        hour: cells.value()?,
        temp: cells.nullable()?,
        dewp: cells.nullable()?,
        humid: cells.nullable()?,
        wind_dir: cells.nullable()?,
        wind_speed: cells.nullable()?,
        wind_gust: cells.nullable()?,
        precip: cells.value()?,
        pressure: cells.nullable()?,
        visib: cells.value()?,
        time_hour: cells.value::<Timestamp>()?,
    })
}

fn flight(cells: &mut Cells<'_>) -> Result<Flight> {
    Ok(Flight {
        id: cells.number,
        year: cells.value()?,
        month: cells.value()?,
        day: cells.value()?,
        dep_time: cells.nullable()?,
        sched_dep_time: cells.value()?,
        dep_delay: cells.nullable()?,
        arr_time: cells.nullable()?,
        sched_arr_time: cells.value()?,
        arr_delay: cells.nullable()?,
        carrier: cells.text()?,
        flight: cells.value()?,
        tailnum: cells.nullable()?,
        origin: cells.text()?,
        dest: cells.text()?,
        air_time: cells.nullable()?,
        distance: cells.value()?,
        hour: cells.value()?,
        minute: cells.value()?,
        time_hour: cells.value::<Timestamp>()?,
    })
}

/// One compressed CSV.
struct File {
    name: &'static str,
    /// Its first line.
    columns: &'static str,
    packed: &'static [u8],
}

impl File {
    fn rows<T>(&self, read: impl Fn(&mut Cells<'_>) -> Result<T>) -> Result<Vec<T>> {
        let damaged = |what: &str, e: Box<dyn std::error::Error + Send + Sync>| self.error(what).with_source(e);
        let bytes = zstd::decode_all(self.packed).map_err(|e| damaged("the data cannot be decompressed", e.into()))?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let columns = reader.headers().map_err(|e| damaged("the data has no first line", e.into()))?.clone();
        if !columns.iter().eq(self.columns.split(',')) {
            return Err(self.error("the data has other columns").with("found", columns.iter().collect::<Vec<_>>().join(",")));
        }
        let mut rows = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(|e| damaged("a line of the data is no CSV", e.into()))? {
            let number = rows.len() as i64 + 1;
            rows.push(read(&mut Cells { file: self, columns: &columns, record: &record, number, at: 0 })?);
        }
        Ok(rows)
    }

    fn error(&self, message: &str) -> Error {
        Error::corrupt(message)
            .with("file", self.name)
            .with_hint("build relstore again from an unchanged data/ (python3 data/prepare.py checks it)")
    }
}

/// The cells of one line, read from left to right.
struct Cells<'a> {
    file: &'a File,
    columns: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
    /// The row's place in the file, from 1; the names of the columns do not count.
    number: i64,
    at: usize,
}

impl<'a> Cells<'a> {
    fn next(&mut self) -> Result<&'a str> {
        let cell = self.record.get(self.at).ok_or_else(|| self.error("a line of the data is too short", ""))?;
        self.at += 1;
        Ok(cell)
    }

    fn text(&mut self) -> Result<String> {
        match self.next()? {
            "NA" => Err(self.error("a value is missing", "NA")),
            text => Ok(text.to_owned()),
        }
    }

    fn value<T: FromStr>(&mut self) -> Result<T> {
        let text = self.next()?;
        text.parse().map_err(|_| self.error("a value does not have the type of its column", text))
    }

    fn nullable<T: FromStr>(&mut self) -> Result<Option<T>> {
        match self.next()? {
            "NA" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.error("a value does not have the type of its column", text)),
        }
    }

    #[cold]
    fn error(&self, message: &str, found: &str) -> Error {
        // The cell has been passed already.
        let column = self.columns.get(self.at.saturating_sub(1)).unwrap_or_default();
        let line = self.record.position().map_or(0, csv::Position::line);
        self.file.error(message).with("line", line).with("column", column).with("found", format!("{found:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(csv: &str) -> Error {
        let packed = zstd::encode_all(csv.as_bytes(), 1).expect("memory can be written").leak();
        File { name: "airports.csv", columns: AIRPORTS.columns, packed }.rows(airport).expect_err("it is wrong")
    }

    #[test]
    fn the_data_has_the_rows_that_its_readme_counts() {
        let source = Source::read().unwrap();
        let counts = [source.airlines.len(), source.airports.len(), source.planes.len(), source.weather.len(), source.flights.len()];
        assert_eq!(counts, [16, 1_458, 3_322, 26_115, 336_776]);
        let first = &source.flights[0];
        assert_eq!((first.id, first.carrier.as_str(), first.dep_delay, first.dest.as_str()), (1, "UA", Some(2), "IAH"));
        assert_eq!(first.time_hour.to_string(), "2013-01-01T10:00:00.000000Z");
        assert_eq!(source.flights.iter().filter(|f| f.dep_time.is_none()).count(), 8_255);
        assert_eq!(source.planes.iter().filter(|p| p.speed.is_none()).count(), 3_299);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        let header = AIRPORTS.columns;
        let error = refused(&format!("{header}\n04G,Lansdowne,41.13,-80.62,1044,-5,A,NA\n06A,Moton,north,-85.68,264,-6,A,NA\n"));
        let context: Vec<_> = error.context().iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(context, ["file airports.csv", "line 3", "column lat", "found \"north\""]);
        for csv in ["faa,name\n", &format!("{header}\n04G,Lansdowne\n"), &format!("{header}\nNA,a,1,1,1,1,A,NA\n")] {
            assert_eq!(refused(csv).kind().code(), "Corrupt", "{csv}");
        }
    }
}
